#!/bin/bash
# Puts Debian's prometheus into .tools/prometheus, for the test that lets it scrape weir: unpacked, not installed, so that no service runs. Once; says where it is.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
program=$tools/prometheus/usr/bin/prometheus
if [ ! -x "$program" ]; then
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo "scripts/prometheus.sh: this takes apt and dpkg" >&2; exit 1; }
    mkdir -p "$tools"
    scratch=$(mktemp -d "$tools/fetch.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    (cd "$scratch" && apt-get download -qq prometheus >apt 2>&1) || { cat "$scratch/apt" >&2; exit 1; }
    dpkg -x "$scratch"/prometheus_*.deb "$scratch/unpacked"
    rm -rf "$tools/prometheus"
    mv "$scratch/unpacked" "$tools/prometheus"
fi
echo "$program"
