#!/usr/bin/env bash
# A group that takes only what moves (kafka.assignment: consumer): some seeds, some more with
# standbys and with delivery at least once, and a small run with one fault at every place. A minute.
set -euo pipefail
program=$TIDEMARK_BUILD_DIR/tests/simulation/simulation
"$program" --incremental --seed 30000 --count 60
"$program" --incremental --standby --seed 31000 --count 20
"$program" --incremental --at-least-once --seed 32000 --count 20
"$program" --incremental --every-place --seed 1
