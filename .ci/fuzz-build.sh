#!/usr/bin/env bash
# Builds the fuzz targets, where nightly Rust and cargo-fuzz are present.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "nightly Rust is not installed: the fuzz targets are not built"
    exit 0
fi
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is not installed: the fuzz targets are checked without instrumentation"
    cargo +nightly check --manifest-path fuzz/Cargo.toml
    exit 0
fi
cargo +nightly fuzz build
