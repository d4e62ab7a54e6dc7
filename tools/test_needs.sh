#!/bin/sh
# Brings what the tests need beside Python: Debian's chromium, for the browser tests, Node to type-check the
# app (nobody who runs it needs Node), freeDiameter, a Diameter node that nobody here wrote, curl for the examples, nginx as the
# reverse proxy in front of the API, and a PC/SC service
# with a virtual reader; pyscard, which speaks to it, comes as source and is built. Where they cannot be installed the tests say what they leave out; with CI=true that
# is a failure.
set -eu

. "$(dirname "$0")/need.sh"

need curl curl
need chromium chromium
need npm nodejs npm
need freeDiameterd freediameterd freediameter-extensions
need pcscd pcscd
need vpcd-config vsmartcard-vpcd
need nginx nginx-light

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
