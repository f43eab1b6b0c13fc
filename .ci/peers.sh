#!/usr/bin/env bash
# Runs the workloads of benches/peers in PUC Lua and in Crux, in turn, compares their output and
# prints the median CPU time of each and the ratio. Needs lua5.4.
#
#   .ci/peers.sh [RUNS=7]
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v lua5.4 >/dev/null; then
    echo "lua5.4 is not installed" >&2
    exit 2
fi
cargo build --quiet --release --package gcrucible-cli --bin crux
exec python3 benches/peers/compare.py "${CARGO_TARGET_DIR:-target}/release/crux" "${1:-7}"
