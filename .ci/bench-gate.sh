#!/bin/sh
# Fails when a hot path takes more instructions than the committed baseline allows.
# `.ci/bench-gate.sh --accept` writes a new baseline instead.
set -eu
cd "$(dirname "$0")/.."
exec cargo bench --quiet --package gcrucible-benches --bench gate -- "$@"
