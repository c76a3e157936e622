#!/bin/bash
# All tests, with their own set-up: the unit tests and fuzz corpora under CTest, then the wire tests and the fault tests with Node's runner and the real clients. The last line
# on standard output is "N passed, N failed". WEIR_SOAK=1 runs the long proofs whole.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0
failed=0
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
    exit
}

# A step that must work before anything can be tested counts as one failure.
must() {
    "$@" || { echo "failed: $*"; failed=$((failed + 1)); finish; }
}

unit_tests() {
    ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" --output-junit "$logs/unit.xml" >"$logs/unit" 2>&1
    local code=$? all bad
    if [ $code = 0 ]; then
        tail -n 3 "$logs/unit"
    else
        cat "$logs/unit"
    fi
    # The file's root says how many there were; a crash of ctest itself leaves none.
    all=$(grep -oE 'tests="[0-9]+"' "$logs/unit.xml" 2>/dev/null | head -n 1 | tr -dc 0-9)
    bad=$(grep -oE 'failures="[0-9]+"' "$logs/unit.xml" 2>/dev/null | head -n 1 | tr -dc 0-9)
    all=${all:-0}
    bad=${bad:-0}
    [ $code = 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + (all > bad ? all - bad : 0)))
    failed=$((failed + bad))
}

wire_tests() {
    [ -e tests/wire/package.json ] || return 0
    [ ! -x .tools/bin/node ] || export PATH="$PWD/.tools/bin:$PATH"
    # Only when the lock file changed since the last time.
    if ! cmp -s tests/wire/package-lock.json tests/wire/node_modules/.installed-lock.json; then
        must npm ci --prefix tests/wire --ignore-scripts --no-audit --no-fund --silent
        cp tests/wire/package-lock.json tests/wire/node_modules/.installed-lock.json
    fi
    local files
    mapfile -t files < <(find tests/wire tests/faults tests/package -name node_modules -prune -o -name '*.test.mjs' -print | sort)
    [ ${#files[@]} -gt 0 ] || return 0
    node --test --test-concurrency="${WEIR_WIRE_JOBS:-1}" --test-reporter=spec --test-reporter-destination=stdout --test-reporter=tap --test-reporter-destination="$logs/wire.tap" \
        "${files[@]}" >"$logs/wire" 2>&1
    local code=$? good bad
    if [ $code = 0 ]; then
        grep -E '^. (tests|pass|fail|duration_ms)' "$logs/wire"
    else
        cat "$logs/wire"
    fi
    good=$(grep -oE '^# pass [0-9]+' "$logs/wire.tap" 2>/dev/null | tail -n 1 | tr -dc 0-9)
    bad=$(awk '/^# (fail|cancelled) [0-9]+/ { n += $3 } END { print n + 0 }' "$logs/wire.tap" 2>/dev/null)
    good=${good:-0}
    bad=${bad:-0}
    [ $code = 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good))
    failed=$((failed + bad))
}

must scripts/setup.sh --test
if [ "${1:-}" = "--wire-only" ]; then
    must scripts/build.sh release weir faults package_files
else
    must scripts/build.sh release all package_files
    unit_tests
fi
wire_tests
finish
