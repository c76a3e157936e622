#!/bin/bash
# The tests on a slow machine, on any machine: every unit test and every wire test under tests/late/late.c, which makes threads, locks and disks late at random. What passes here
# does not race, or seldom. Takes about half an hour on two cores. The last line is "N passed, N failed".
#
#   scripts/late.sh [--unit-only|--wire-only] [PATTERN]    PATTERN: an extended regular expression for the names of tests, such as gateway/ or console
#
# WEIR_LATE_ROUNDS (1) how often, WEIR_LATE_JOBS (4) unit tests at a time; WEIR_LATE_* of late.c: how late. What a failed test has said stays in build/late, named by test and round.
set -uo pipefail
cd "$(dirname "$0")/.."
what=all
case "${1:-}" in
--unit-only | --wire-only) what=${1#--}; shift ;;
esac
pattern=${1:-.}
passed=0
failed=0
said=build/late
library=$PWD/build/tests/late/liblate.so

# What is left out of the unit tests, and why: they have one thread and nothing to race with, and sync thousands of times, or take long as they are.
#   fuzz/ docs/              no threads
#   crash/ .*/test_.*crash   kills and replays, hours of syncs
#   .*/test_model            thousands of random calls, likewise
#   store/test_count         200,000 entries
left_out='^(fuzz/|docs/|crash/|package/|[a-z]+/test_([a-z_]+_)?(crash|model)|store/test_count$)'

mark() { # passed? name log
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        rm -f "$3"
    else
        failed=$((failed + 1))
        echo "failed: $2 (see $3)"
    fi
}

# Name, TAB, program, of each unit test.
unit_tests() {
    ctest --test-dir build --show-only=json-v1 | python3 -c '
import json, sys
for test in json.load(sys.stdin)["tests"]:
    if "command" in test:
        print(test["name"], test["command"][0], sep="\t")' | grep -Ev "$left_out" | grep -E "$pattern"
}

run_unit() { # name program round
    local log="$said/${1//\//-}.$3"
    LD_PRELOAD="$library" timeout 1800 "$2" </dev/null >"$log" 2>&1
    echo $? >"$log.code"
}

unit_round() {
    local name program
    while IFS=$'\t' read -r name program; do
        while [ "$(jobs -rp | wc -l)" -ge "${WEIR_LATE_JOBS:-4}" ]; do wait -n; done
        run_unit "$name" "$program" "$1" &
    done <"$said/list"
    wait
    while IFS=$'\t' read -r name program; do
        local log="$said/${name//\//-}.$1"
        mark "$(cat "$log.code")" "$name" "$log"
        rm -f "$log.code"
    done <"$said/list"
}

# One file after the other: each has its machine for itself, as in scripts/test.sh.
wire_round() {
    local file name log sync
    [ ! -x .tools/bin/node ] || export PATH="$PWD/.tools/bin:$PATH"
    while read -r file; do
        name=${file#tests/}
        log="$said/${name//\//-}.$1"
        case "$name" in
        wire/cli-export* | wire/cli-backup*) sync=20 ;; # thousands of batches one after the other: slow by design on a slow disk
        *) sync=${WEIR_LATE_SYNC_MS:-200} ;;
        esac
        WEIR_LATE_SYNC_MS=$sync WEIR_BIN="$PWD/build/weir-late" timeout 1800 node --test "$file" </dev/null >"$log" 2>&1
        mark $? "$name" "$log"
    done < <(find tests/wire tests/faults -name node_modules -prune -o -name '*.test.mjs' -print | sort | grep -E "$pattern")
}

scripts/setup.sh --test && scripts/build.sh release all late || exit 1
rm -rf "$said"
mkdir -p "$said"
unit_tests >"$said/list"
for ((round = 1; round <= ${WEIR_LATE_ROUNDS:-1}; round++)); do
    [ "$what" = wire-only ] || unit_round "$round"
    [ "$what" = unit-only ] || wire_round "$round"
done
rm -f "$said/list"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
