#!/usr/bin/env bash
# Look at report pages in Chromium: axe-core's rules, overflow, screenshots at 360 and 1400 px, light and dark.
#
#   lab/pages.sh OUT PAGE.html…
#
# Needs: apt-get install --no-install-recommends chromium nodejs npm fonts-dejavu-core
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB=${POCKETLENS_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/pocketlens/lab}
for tool in node npm chromium; do
    command -v $tool >/dev/null || { sed -n '5s/^# Needs: //p' "$0" >&2; exit 3; }
done
[ $# -ge 2 ] || { sed -n '2,5p' "$0"; exit 2; }
if [ ! -e "$LAB/pages/node_modules/axe-core" ]; then
    mkdir -p "$LAB/pages"
    (cd "$LAB/pages" && echo '{"private": true}' > package.json && npm install --no-audit --no-fund --silent axe-core@4.14.1 puppeteer-core@24.43.1)
fi
PAGES_MODULES=$LAB/pages CHROMIUM=$(command -v chromium) exec node "$HERE/pages.mjs" "$@"
