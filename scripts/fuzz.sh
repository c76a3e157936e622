#!/bin/bash
# Every fuzz target for so many seconds, beginning with its corpus; what is new and interesting stays in build-fuzz/corpus, not in the tree.
# A finding ends the script; the input is kept in build-fuzz/findings: make it small, then add it to fuzz/corpus, where the tests replay it.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
scripts/setup.sh --test
targets=()
for source in fuzz/*_*.c; do
    targets+=("fuzz_$(basename "$source" .c)")
done
scripts/build.sh fuzz "${targets[@]}"
mkdir -p build-fuzz/findings
for target in "${targets[@]}"; do
    name=${target#fuzz_}
    mkdir -p "build-fuzz/corpus/$name"
    echo "== $name: $seconds s"
    build-fuzz/bin/"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 -artifact_prefix=build-fuzz/findings/"$name"- \
        "build-fuzz/corpus/$name" "fuzz/corpus/$name"
done
echo "no findings in ${#targets[@]} targets"
