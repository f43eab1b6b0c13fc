#!/usr/bin/env bash
# Runs the heap's tests under valgrind's memcheck and under the address sanitizer, whichever of
# them is there; fails if either finds something, or if neither is there.
#
# The sanitizer needs rustup's nightly toolchain, but neither its sources nor a build of the standard
# library: what is looked at is the heap itself.
set -euo pipefail
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-gnu
ran=0

if command -v valgrind >/dev/null 2>&1; then
    binaries=$(cargo test --quiet --package gcrucible-heap --lib --tests --no-run \
        --message-format=json | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
    [ -n "$binaries" ]
    for tests in $binaries; do
        echo "valgrind: $(basename "$tests")"
        # Threads that spin get their turns in order.
        valgrind --quiet --error-exitcode=99 --fair-sched=yes --leak-check=full \
            --show-leak-kinds=definite --errors-for-leak-kinds=definite "$tests" --quiet
    done
    ran=1
else
    echo "valgrind is not installed: skipped"
fi

if cargo +nightly --version >/dev/null 2>&1; then
    # A target of its own, or build scripts would be sanitized, too.
    RUSTFLAGS=-Zsanitizer=address RUSTDOCFLAGS=-Zsanitizer=address \
        cargo +nightly test --quiet --package gcrucible-heap --target "$target"
    ran=1
else
    echo "rustup's nightly toolchain is not installed: skipped"
fi

if [ "$ran" = 0 ]; then
    echo "nothing has run" >&2
    exit 1
fi
