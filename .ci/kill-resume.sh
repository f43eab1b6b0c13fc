#!/usr/bin/env bash
# Kills a campaign's processes at random moments and resumes it after each kill. The ids of
# its findings must equal those of an uninterrupted run, and no process may be left one second
# after a kill of the campaign.
#
#   .ci/kill-resume.sh [KILLS=50] [SCENARIOS=20000] [BUG=B-03]
set -euo pipefail
cd "$(dirname "$0")/.."

kills=${1:-50}
scenarios=${2:-20000}
bug=${3:-B-03}
dir=$(mktemp -d)
campaign=
trap '[ -z "$campaign" ] || kill -KILL "$campaign" 2>/dev/null || true; rm -rf "$dir"' EXIT
RANDOM=20260131

cargo build --quiet --profile campaign --package gcrucible-stress --bin crucible \
    --features seeded-bugs --target-dir target/zoo
crucible=target/zoo/campaign/crucible

ids() {
    python3 -c 'import json, sys
summary = json.load(open(sys.argv[1]))
print("\n".join(sorted(finding["id"] for finding in summary["findings"])))
print("scenarios", sum(lane["scenarios"] for lane in summary["lanes"].values()))' "$1/summary.json"
}

# Campaign processes and workers whose command line names the folder.
processes() {
    pgrep -f -- "$dir/interrupted" || true
}

run=("$crucible" run --bug "$bug" --seed 7 --scenarios "$scenarios" --jobs 2 --no-shrink)
began=$(date +%s%3N)
"${run[@]}" --out "$dir/whole" >"$dir/whole.log" 2>&1 || [ $? -eq 1 ]
# The kills come at random moments of three quarters of the time that the whole run takes.
most_ms=$((($(date +%s%3N) - began) * 3 / 2 / kills))

start() {
    if [ -e "$dir/interrupted/plan.json" ]; then
        "$crucible" run --resume "$dir/interrupted" --jobs 2 --no-shrink >>"$dir/log" 2>&1 &
    else
        rm -rf "$dir/interrupted"
        "${run[@]}" --out "$dir/interrupted" >>"$dir/log" 2>&1 &
    fi
    campaign=$!
}

start
for ((n = 0; n < kills; n++)); do
    pause_ms=$((RANDOM % most_ms + 1))
    sleep "$((pause_ms / 1000)).$(printf '%03d' $((pause_ms % 1000)))"
    if ! kill -0 "$campaign" 2>/dev/null; then
        echo "the campaign ended after $n of $kills kills; give it more scenarios" >&2
        exit 1
    fi
    if ((n % 2)); then
        kill -KILL "$campaign"
        wait "$campaign" 2>/dev/null || true
        sleep 1
        left=$(processes)
        if [ -n "$left" ]; then
            echo "left one second after the campaign was killed: $left" >&2
            exit 1
        fi
        start
    else
        worker=$(pgrep -P "$campaign" | shuf -n 1 || true)
        [ -z "$worker" ] || kill -KILL "$worker" 2>/dev/null || true
    fi
done
status=0
wait "$campaign" || status=$?
campaign=
if [ "$status" -ne 1 ] && [ "$status" -ne 0 ]; then
    echo "the campaign ended with exit code $status" >&2
    tail -20 "$dir/log" >&2
    exit 1
fi

if ! diff <(ids "$dir/whole") <(ids "$dir/interrupted"); then
    echo "the findings differ from those of the uninterrupted run" >&2
    exit 1
fi
echo "$kills kills, the same findings:"
ids "$dir/interrupted"
