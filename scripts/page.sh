#!/bin/bash
# Builds the page (web/dash) into one C file: scripts/page.sh FOLDER OUT.c
# FOLDER receives a copy of the sources and the packages of package-lock.json, which are fetched again only when that changes.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
out=$2
oldest=20.19

node_is_new() {
    command -v "$1" >/dev/null && printf '%s\n' "$oldest" "$("$1" --version | tr -d v)" | sort -C -V
}

if [ -x .tools/bin/npm ] && ! { node_is_new node && command -v npm >/dev/null; }; then
    export PATH="$PWD/.tools/bin:$PATH"
fi
if ! node_is_new node || ! command -v npm >/dev/null; then
    echo "The page at / is built with Node $oldest or newer and npm: 'make setup' brings them; cmake -DWEIR_DASH=OFF builds without the page." >&2
    exit 1
fi

mkdir -p "$folder"
rm -rf "$folder/src" "$folder/public" "$folder/dist"
cp -R web/dash/src web/dash/public "$folder/"
cp web/dash/*.json web/dash/*.js web/dash/*.mjs web/dash/*.html "$folder/"
cd "$folder"
if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    npm ci --ignore-scripts --no-audit --no-fund --silent || { echo "The page's packages could not be fetched: cmake -DWEIR_DASH=OFF builds without the page." >&2; exit 1; }
    cp package-lock.json node_modules/.installed-lock.json
fi
node node_modules/vite/bin/vite.js build --logLevel warn
node embed.mjs dist "$out"
