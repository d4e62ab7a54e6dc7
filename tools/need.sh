# Sourced by tools/test_needs.sh and tools/app_check.sh.

# If a program is missing, install its Debian packages if this user may; otherwise print what to install and return 0.
# With NO_APT=1 nothing is installed. With CI=true a missing program is a failure, because CI must not leave out any test.
need() { # program, Debian packages
  program=$1; shift
  PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null 2>&1 && return 0
  if [ "$(id -u)" = 0 ] && [ "${NO_APT:-}" != 1 ] && command -v apt-get >/dev/null 2>&1; then
    echo "kswifi test: $program is missing. As root, this now changes the system: apt-get install $* (not with NO_APT=1)" >&2
    apt-get update -qq >/dev/null || true
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null && return 0
  fi
  echo "kswifi test: $program is missing, its tests are left out. Install it: apt install $*" >&2
  [ "${CI:-}" != true ]
}
