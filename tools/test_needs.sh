#!/bin/sh
# Install what the tests need in addition to Python:
# - chromium for the browser tests; Node to type-check the app (running KSWiFi needs no Node);
# - freeDiameter, an independent Diameter node; curl for the examples; nginx and Caddy as reverse proxies;
# - promtool (alert rules) and systemd-analyze (units), to check the files in deploy/;
# - PostgreSQL, for the control plane on it;
# - a PC/SC service with a virtual reader, and pyscard, its Python client, which is built from source.
# If something cannot be installed, the tests that need it are skipped with a message; with CI=true that is a failure.
set -eu

. "$(dirname "$0")/need.sh"

need curl curl
need chromium chromium
need npm nodejs npm
need freeDiameterd freediameterd freediameter-extensions
need pcscd pcscd
need vpcd-config vsmartcard-vpcd
need nginx nginx-light
need caddy caddy
need promtool prometheus
need systemd-analyze systemd
[ -n "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || need initdb postgresql postgresql-contrib

if ! .venv/bin/python -c 'import smartcard' 2>/dev/null; then
  need cc gcc libc6-dev
  need swig swig
  headers=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')
  [ -e "$headers/Python.h" ] || need Python.h python3-dev
  [ -e /usr/include/PCSC/winscard.h ] || need winscard.h libpcsclite-dev
  [ -f /etc/ssl/certs/ca-certificates.crt ] && export UV_SYSTEM_CERTS=true
  VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --no-build-isolation --require-hashes \
    -r requirements/reader.txt || {
    echo "kswifi test: pyscard cannot be built, the tests of cards in readers are left out" >&2
    [ "${CI:-}" != true ]
  }
fi
