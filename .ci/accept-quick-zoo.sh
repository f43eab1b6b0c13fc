#!/usr/bin/env bash
# Writes the table of the quick zoo anew: each bug with the oracle that finds it now, and four
# times the scenarios that it takes (at least 64). Read the difference before committing it.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# A bug that takes more than that is none for the quick zoo: exit code 1 is no failure here.
# Nor are those that are patches, each of which is a build of its own.
bugs=$(cargo crucible list bugs | awk '$2 == "simulation" { print $1 }')
# shellcheck disable=SC2086 # one argument each
cargo crucible zoo $bugs --seeds 1 --budget 4000sc --out "$out/zoo" || test $? -eq 1
python3 - "$out/zoo/zoo.json" >stress/zoo-quick.txt <<'EOF'
import json, sys

print("# bug oracle seed scenarios")
for bug in json.load(open(sys.argv[1])):
    if bug["found"]:
        budget = max(64, 4 * bug["scenarios_median"])
        print(bug["bug"], bug["oracle"], 1, budget)
EOF
git --no-pager diff --stat -- stress/zoo-quick.txt
