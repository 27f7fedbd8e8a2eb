#!/usr/bin/env bash
# Delivery at least once: some seeds, and a small run with one fault at every place. Half a minute.
set -euo pipefail
program=$TIDEMARK_BUILD_DIR/tests/simulation/simulation
"$program" --at-least-once --seed 1 --count 30
"$program" --at-least-once --every-place --seed 1
