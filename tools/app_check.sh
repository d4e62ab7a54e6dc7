#!/bin/sh
# Check the app's JavaScript with Biome (biome.json): format, lint, order of imports. Run by `make check`.
set -eu
cd "$(dirname "$0")/.."
. tools/need.sh
need npm nodejs npm
command -v npm >/dev/null 2>&1 || exit 0
sh tools/js/install.sh
tools/js/node_modules/.bin/biome ci --colors=off --error-on-warnings src/kswifi/pwa/static
