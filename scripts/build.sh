#!/bin/bash
# Configures a preset when it was not yet, and builds it: scripts/build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
folder=build
[ "$preset" = release ] || folder=build-$preset
if [ ! -e "$folder/build.ninja" ]; then
    said=$(cmake --preset "$preset" 2>&1) || { echo "$said" >&2; exit 1; }
fi
targets=()
[ $# = 0 ] || targets=(--target "$@")
cmake --build --preset "$preset" "${targets[@]}" -- --quiet
