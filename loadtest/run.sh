#!/usr/bin/env bash
# Starts a system of its own, loads it, stops it. PROFILE chooses the build; ARRIVALS the peak per second.
set -euo pipefail
cd "$(dirname "$0")/.."

profile="${PROFILE:-quick}"
home="$PWD/target/loadtest"
cargo build --profile "$profile" --bins
source loadtest/system.sh
start_system "$home" "target/$profile"
trap stop_system EXIT
node loadtest/load.mjs "$home"
