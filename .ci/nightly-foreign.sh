#!/usr/bin/env bash
# Subjects of others: bugs that were published, and the pages that begin with nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test -p gcrucible-example-pages -- --ignored
cargo bench -p gcrucible-heap-subject -p gcrucible-futures-subject --benches
cargo crucible zoo --foreign --seeds 5 --budget 60s --out target/crucible/nightly-foreign
