#!/usr/bin/env bash
# Fuzzes one target from its seeds, with its dictionary if it has one. Needs nightly Rust and
# cargo-fuzz.
#
#   .ci/nightly-fuzz.sh TARGET [SECONDS=1800]
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:?the name of a fuzz target}
options=(-max_total_time="${2:-1800}" -timeout=30)
if [ -f "fuzz/$target.dict" ]; then
    options+=(-dict="fuzz/$target.dict")
fi
mkdir -p "fuzz/corpus/$target"
exec cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- "${options[@]}"
