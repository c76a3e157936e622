#!/bin/bash
# The benchmarks: builds the programs, then runs bench/run.mjs or bench/run.sh, which prints the table.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --bench
scripts/build.sh release weir bench_programs
[ ! -x .tools/bin/node ] || export PATH="$PWD/.tools/bin:$PATH"
[ -d tests/wire/node_modules ] || (cd tests/wire && npm ci --silent --no-audit --no-fund)
[ -d bench/peers/dynalite/node_modules ] || (cd bench/peers/dynalite && npm ci --ignore-scripts --silent --no-audit --no-fund)
if [ -e bench/run.mjs ]; then
    exec node bench/run.mjs "$@"
fi
exec bash bench/run.sh "$@"
