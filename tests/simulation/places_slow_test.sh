#!/usr/bin/env bash
# The runs that once found something, some seeds, and a small run with one fault at every place
# where one can strike. Half a minute.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$TIDEMARK_BUILD_DIR/tests/simulation/simulation
"$program" --list "$here/regressions.txt"
"$program" --seed 1 --count 30
"$program" --every-place --seed 1
