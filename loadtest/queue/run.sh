#!/usr/bin/env bash
# Prepares everything and runs one program of this folder: bench (default), chaos, rolling or fairness.
set -euo pipefail
cd "$(dirname "$0")/../.."

program="${1:-bench}"
home=target/bench-queue
sh deploy/tools.sh bench
mkdir -p "$home"
(cd loadtest/queue && npm ci --silent --ignore-scripts)
if [ "$program" = bench ] && ! cmp -s loadtest/queue/requirements.txt "$home/venv/requirements.txt"; then
    python3 -m venv --clear "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check -r loadtest/queue/requirements.txt
    cp loadtest/queue/requirements.txt "$home/venv/"
fi
CARGO_TARGET_DIR="$PWD/$home/cargo" cargo build --quiet --release --locked --manifest-path loadtest/queue/runner/Cargo.toml
exec node "loadtest/queue/$program.mjs"
