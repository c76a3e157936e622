#!/bin/bash
# The benchmarks: builds the programs, then runs all of them, each of which prints its table. With arguments: bench/run.mjs alone, with these.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --bench
scripts/build.sh release weir bench_programs
[ ! -x .tools/bin/node ] || export PATH="$PWD/.tools/bin:$PATH"
[ -d tests/wire/node_modules ] || (cd tests/wire && npm ci --silent --no-audit --no-fund)
[ -d bench/peers/dynalite/node_modules ] || (cd bench/peers/dynalite && npm ci --ignore-scripts --silent --no-audit --no-fund)
if [ $# -gt 0 ]; then
    exec node bench/run.mjs "$@"
fi
node bench/run.mjs
node bench/tables.mjs
node bench/metrics.mjs
build/bin/bench_monitor
node bench/insights.mjs
