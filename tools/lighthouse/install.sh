#!/bin/sh
# Installs Lighthouse, locked, into tools/lighthouse/node_modules. Does nothing when it already is what package-lock.json says.
set -eu
cd "$(dirname "$0")"
stamp=node_modules/kswifi-locked
state=$(cksum < package-lock.json)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ] && exit 0
command -v npm >/dev/null 2>&1 || { echo 'Node and npm are missing' >&2; exit 1; }
npm ci --silent --ignore-scripts --no-audit --no-fund >&2
printf '%s\n' "$state" > "$stamp"
