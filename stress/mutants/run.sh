#!/usr/bin/env bash
# Mutation testing: how many of 200 mutants of the heap and of futures, cancellation and reload do a campaign and the tests kill?
#
#   cargo install cargo-mutants
#   stress/mutants/run.sh              goes on where it ended; results in stress/mutants/ledger.tsv
#   SEED=7 COUNT=50 LEDGER=target/mutants/mine.tsv stress/mutants/run.sh
#
# All mutants are in one build, each behind a number (see src/main.rs). A mutant is killed by the campaign if
# `crucible run --cpu-time 30s --jobs 1` ends with anything but 0. Those that survive it are tried with the tests.
set -euo pipefail
cd "$(dirname "$0")/../.."

SEED=${SEED:-2026}
COUNT=${COUNT:-200}
LEDGER=${LEDGER:-stress/mutants/ledger.tsv}
WORK=target/mutants
FILES=(
    engine/heap/src/collector.rs engine/heap/src/mutator.rs engine/heap/src/card_table.rs engine/heap/src/tlab.rs
    engine/heap/src/allocator.rs engine/src/futures engine/src/cancellation engine/src/reload
)
TESTED=(-p gcrucible-heap -p gcrucible-vm -p gcrucible-engine -p gcrucible-crux-subjects)

mkdir -p "$WORK"
tool() { cargo run --quiet --locked --manifest-path stress/mutants/Cargo.toml --target-dir "$WORK/tool" -- "$@"; }
fresh() {
    mkdir -p "$WORK/tree"
    git archive HEAD | tar -x -C "$WORK/tree"
    tool plant "$WORK/drawn.jsonl" "$WORK/tree" "$(tr '\n' ' ' <"$WORK/unviable")" >"$WORK/left-out"
}
in_tree() { (cd "$WORK/tree" && RUSTFLAGS="--cap-lints allow" CARGO_TARGET_DIR=../build "$@"); }

if [ ! -e "$WORK/ready" ]; then
    echo "mutants: which there are" >&2
    cargo mutants --list --json --package gcrucible-heap --package gcrucible-engine >"$WORK/list.json"
    # Some have no such form or do not compile: as many again are drawn.
    tool draw "$WORK/list.json" "$SEED" $((COUNT * 2)) "${FILES[@]}" >"$WORK/drawn.jsonl"
    : >"$WORK/unviable"
    while true; do
        fresh
        in_tree cargo check --keep-going --message-format json --lib -p gcrucible-heap -p gcrucible-engine \
            2>/dev/null >"$WORK/messages" && break
        tool unviable "$WORK/drawn.jsonl" <"$WORK/messages" >"$WORK/refused"
        [ -s "$WORK/refused" ] || { echo "mutants: the copy does not compile, see $WORK/messages" >&2; exit 1; }
        echo "mutants: $(wc -l <"$WORK/refused") do not compile" >&2
        cat "$WORK/refused" >>"$WORK/unviable"
    done
    echo "mutants: build" >&2
    in_tree cargo build --quiet --profile campaign -p gcrucible-stress --bin crucible
    touch "$WORK/ready"
fi
BIN=$PWD/$WORK/build/campaign/crucible

[ -e "$LEDGER" ] || printf 'number\tmutant\tcampaign\ttests\texplained\n' >"$LEDGER"
name() { sed -n "$1p" "$WORK/drawn.jsonl" | sed 's/^{"name":"\(\([^"\\]\|\\.\)*\)".*/\1/'; }
campaign() {
    local out="$WORK/run" code=0
    rm -rf "$out"
    CRUCIBLE_MUTANT=$1 timeout 300 "$BIN" run --cpu-time 30s --jobs 1 --first-finding --no-shrink --seed "$SEED" --out "$out" \
        >"$WORK/run.log" 2>&1 || code=$?
    case $code in
        0) echo survives ;;
        1) echo "killed: $(grep -m1 "^FINDING " "$WORK/run.log" | sed "s/^[^:]*: //; s/ at .*//")" ;;
        124) echo "killed: does not end" ;;
        *) echo "killed: exit code $code" ;;
    esac
}
tests() {
    local code=0
    (in_tree env CRUCIBLE_MUTANT="$1" timeout 900 cargo test --offline --quiet "${TESTED[@]}") >"$WORK/test.log" 2>&1 || code=$?
    case $code in
        0) echo survives ;;
        124) echo "killed: does not end" ;;
        *) echo "killed: $(grep -m1 -oE '^test .* FAILED|^    [a-z_:]+$|error: test failed.*' "$WORK/test.log" | tr -s ' ')" ;;
    esac
}

viable=0
for number in $(seq 1 "$(wc -l <"$WORK/drawn.jsonl")"); do
    grep -qx "$number" "$WORK/unviable" "$WORK/left-out" && continue
    viable=$((viable + 1))
    [ "$viable" -gt "$COUNT" ] && break
    grep -q "^$number	" "$LEDGER" && continue
    found=$(campaign "$number")
    tested=
    [ "$found" = survives ] && [ -z "${NO_TESTS:-}" ] && tested=$(tests "$number")
    printf '%s\t%s\t%s\t%s\t\n' "$number" "$(name "$number")" "$found" "$tested" | tee -a "$LEDGER"
done
