#!/bin/bash
# The windows on the device once more, with the checks that a runtime to test with has: hazards in
# shared and global memory, lanes of a warp that do not run in lockstep, leaks.
set -u
program=$(dirname "${TIDEMARK_PROGRAM:?}")/../tests/tests_features
if [ "${TIDEMARK_WITH_CUDA:-0}" != 1 ]; then
  echo "skipped: this build has no CUDA"
  exit 77
fi
status=0
for setting in PTXRUN_RACECHECK=2 "PTXRUN_ITS=1 PTXRUN_SEED=1" "PTXRUN_ITS=1 PTXRUN_SEED=2" \
  PTXRUN_LEAKCHECK=1; do
  echo "== $setting"
  # shellcheck disable=SC2086  # a setting may be two words
  output=$(env $setting "$program" --gtest_filter='*Cuda*' --gtest_brief=1 2>&1) || status=1
  echo "$output"
  # What the checks report need not fail the program; any word of theirs fails the test.
  if grep -Eiq 'hazard|race:|leak|deadlock' <<<"$output"; then status=1; fi
done
exit $status
