#!/bin/bash
# Line coverage of the unit tests, by file: builds with gcov, runs CTest, sums what gcov says.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --test
scripts/build.sh coverage
find build-coverage -name '*.gcda' -delete
ctest --preset coverage >build-coverage/ctest.log 2>&1 || { tail -n 40 build-coverage/ctest.log; exit 1; }
# One line a file: gcov's summaries, the best of the runs of a file that is in several programs.
find build-coverage -name '*.gcda' -print0 | xargs -0 gcov -n 2>/dev/null |
    awk -v root="$PWD/" '
        /^File / { gsub(/\x27/, "", $2); file = $2; sub(root, "", file); sub(/^.*\/src\//, "src/", file) }
        /^Lines executed:/ && file ~ /^src\// {
            split($0, part, /[:% ]+/); percent = part[3]; lines = $NF
            if (!(file in best) || percent > best[file]) { best[file] = percent; count[file] = lines }
            file = ""
        }
        END {
            for (name in best) { printf "%6.1f %%  %5d  %s\n", best[name], count[name], name | "sort -k4"; all += count[name]; hit += count[name] * best[name] / 100 }
            close("sort -k4"); if (all) printf "%6.1f %%  %5d  all\n", 100 * hit / all, all
        }'
