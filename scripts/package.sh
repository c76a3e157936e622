#!/bin/bash
# The Debian packages, into build/packages: scripts/package.sh [VERSION]. VERSION is the package's, when it is to differ from the program's.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release package_files
rm -rf build/packages
cpack --config build/CPackConfig.cmake -B build/packages ${1:+-D CPACK_PACKAGE_VERSION="$1"} >build/package.log 2>&1 || { cat build/package.log >&2; exit 1; }
rm -rf build/packages/_CPack_Packages
ls build/packages/*.deb
