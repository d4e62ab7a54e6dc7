#!/bin/sh
# Brings what the tests need beside Python: Debian's chromium, for the browser tests.
# Where it cannot be installed the tests say what they leave out; with CI=true that is a failure.
set -eu
command -v chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo 'kswifi test: installing chromium for the browser tests' >&2
  apt-get update -qq >/dev/null || true
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null && exit 0
fi
echo 'kswifi test: chromium is missing, the browser tests are left out. Install it: apt install chromium' >&2
[ "${CI:-}" != true ]
