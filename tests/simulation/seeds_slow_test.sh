#!/usr/bin/env bash
# More seeds, and a small run with two faults at some of all the pairs of places. A minute, or
# beside the pairs as many minutes of seeds as TIDEMARK_SIMULATION_MINUTES says.
set -euo pipefail
program=$TIDEMARK_BUILD_DIR/tests/simulation/simulation
"$program" --seed 10000 --count 100 --minutes "${TIDEMARK_SIMULATION_MINUTES:-0}"
"$program" --standby --seed 20000 --count 100
"$program" --every-place --seed 2 --pair-stride 1999
