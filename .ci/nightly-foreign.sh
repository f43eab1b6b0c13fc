#!/usr/bin/env bash
# Subjects of others: bugs that were published, the pages that begin with nothing, the packages, and the rate beside another
# scheduler. What is a workspace of its own is linted here, since the push job builds none of them.
set -euo pipefail
cd "$(dirname "$0")/.."

for side in bad older good lua; do
    (cd "stress/subjects/foreign/$side" && cargo fmt --check &&
        cargo clippy --locked --all-targets --target-dir ../../../../target-foreign -- -D warnings)
done
(cd benches/schedulers && cargo fmt --check &&
    cargo clippy --locked --all-targets --target-dir ../../target-schedulers -- -D warnings)
(cd stress/mutants && cargo fmt --check &&
    cargo clippy --locked --all-targets --target-dir ../../target/mutants/tool -- -D warnings &&
    cargo test --locked --target-dir ../../target/mutants/tool)
cargo clippy -p own_heap -p own_channel -p gcrucible-example-pages --all-targets -- -D warnings

cargo test -p gcrucible-example-pages -- --ignored
cargo bench -p gcrucible-heap-subject -p gcrucible-futures-subject --benches
cargo run --release --locked --manifest-path benches/schedulers/Cargo.toml --target-dir target-schedulers
.ci/package.sh
cargo crucible zoo --foreign --seeds 5 --budget 60s --out target/crucible/nightly-foreign
