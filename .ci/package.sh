#!/usr/bin/env bash
# Packs the crates that are to be published, and builds each from its package alone: what is missing in one, or needs
# what is not published, fails here. Cargo resolves them against one another as if they were on the registry.
set -euo pipefail
cd "$(dirname "$0")/.."

# Those that may be published, by their own word; the list is empty if cargo cannot tell.
mapfile -t packages < <(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["publish"] is None:
        print(package["name"])')
if [ "${#packages[@]}" -eq 0 ]; then
    echo "no crate is to be published" >&2
    exit 1
fi
printf 'packing %s\n' "${packages[@]}"
cargo package --locked "${packages[@]/#/--package=}" "$@"
