#!/usr/bin/env bash
# One shard of the nightly campaign on one lane.
#
#   .ci/nightly-campaign.sh LANE SHARD [SCENARIOS=2000000]
set -euo pipefail
cd "$(dirname "$0")/.."

lane=$1
shard=$2
scenarios=${3:-2000000}
# A new part of the space each day, and the same one for all shards of a day.
seed=$(($(date +%s) / 86400))
cargo crucible run --lane "$lane" --shard "$shard" --seed "$seed" --scenarios "$scenarios" \
    --out target/crucible/nightly --junit target/crucible/nightly.xml
