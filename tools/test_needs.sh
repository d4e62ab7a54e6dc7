#!/bin/sh
# Brings what the tests need beside Python: Debian's chromium, for the browser tests, Node to type-check the
# app (nobody who runs it needs Node), and freeDiameter, a Diameter
# node that nobody here wrote. Where they cannot be installed the tests say what they leave out; with CI=true that
# is a failure.
set -eu

need() { # program, Debian packages
  program=$1; shift
  command -v "$program" >/dev/null 2>&1 && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "kswifi test: installing $*" >&2
    apt-get update -qq >/dev/null || true
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null && return 0
  fi
  echo "kswifi test: $program is missing, its tests are left out. Install it: apt install $*" >&2
  [ "${CI:-}" != true ]
}

need chromium chromium
need npm nodejs npm
need freeDiameterd freediameterd freediameter-extensions
