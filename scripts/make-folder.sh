#!/bin/bash
# Makes the kept data folder of this release, tests/folders/VERSION: scripts/make-folder.sh [VERSION] (default: the program's). Once for a release, with its own program.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${WEIR_BIN:-$PWD/build/weir}
version=${1:-$("$program" --version | cut -d' ' -f2)}
[ ! -x .tools/bin/node ] || export PATH="$PWD/.tools/bin:$PATH"
WEIR_BIN=$program WEIR_MAKE_FOLDER=$version node --test tests/wire/folders.test.mjs
ls -l "tests/folders/$version"
