#!/bin/sh
# Make .venv with exactly the locked packages. Usage: sh tools/setup.sh runtime|dev
# Does nothing if the environment was already made from the present lock files.
set -eu
cd "$(dirname "$0")/.."
part=$1
say() { printf 'kswifi setup: %s\n' "$*" >&2; }

python=''
for candidate in "${PYTHON:-python3}" python3.15 python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 15))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || { say 'needs a Python from 3.11 to 3.15: install one, or name it with PYTHON=/path/to/python3'; exit 1; }

# An environment with the development packages contains the runtime packages too.
stamp=.venv/kswifi-locked
state=$(cat requirements/uv.txt requirements/runtime.txt requirements/dev.txt pyproject.toml tools/setup.sh | cksum)
if [ -x .venv/bin/kswifi ] && [ -f "$stamp" ]; then
  read -r have < "$stamp" || have=''
  case "$have" in "$part $state"|"dev $state") exit 0 ;; esac
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  if [ "$(id -u)" = 0 ] && [ "${NO_APT:-}" != 1 ] && command -v apt-get >/dev/null 2>&1; then
    say "this Python has no venv and pip. As root, this now changes the system: apt-get install $version"
    say 'NO_APT=1 keeps it from that: make setup NO_APT=1'
    apt-get update -qq >/dev/null || true
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$version" >/dev/null
  else
    say "this Python has no venv and pip. Install them first: apt install $version"
    exit 1
  fi
fi

case "$([ -f "$stamp" ] && cat "$stamp")" in dev\ *) part=dev ;; esac
rm -f "$stamp"
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
  say 'making .venv'
  "$python" -m venv --clear .venv
fi
say "installing the locked packages ($part)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
export UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV="$PWD/.venv"
# On Debian use the system's certificates, as pip does: a company network may have its own authority.
[ -f /etc/ssl/certs/ca-certificates.crt ] && export UV_SYSTEM_CERTS=true
.venv/bin/uv pip install --quiet --compile-bytecode --require-hashes -r "requirements/$part.txt"
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
printf '%s %s\n' "$part" "$state" > "$stamp"
