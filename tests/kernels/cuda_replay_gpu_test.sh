#!/bin/bash
# The whole engine over the same files on both backends: every output has the same bytes. The
# summary is compared without its times and the backend's name.
set -u
if [ "${TIDEMARK_WITH_CUDA:-0}" != 1 ]; then
  echo "skipped: this build has no CUDA"
  exit 77
fi
cd "${TIDEMARK_SOURCE_DIR:?}" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=examples/quickstart/bundle
[ -f $bundle/manifest.yaml ] || bundle=tools/training/bootstrap
"${TIDEMARK_PROGRAM:?}" generate --merchants 25 --days 30 --seed 4 --out "$work/events" || exit 1
inputs=()
for source in payments invoices merchants signals feedback; do
  inputs+=(--input "$source=$work/events/$source.jsonl")
done
for backend in cpu cuda; do
  "$TIDEMARK_PROGRAM" replay --config examples/quickstart/tidemark.yaml --set bundle=$bundle \
    --set capacity.merchants_max=1000 --set capacity.dedup_events_max=100000 \
    --now 2030-01-01T00:00:00Z --threads 1 --backend $backend "${inputs[@]}" \
    --out "$work/$backend" --rows "$work/$backend.csv" >"$work/log" 2>&1
  status=$?
  cat "$work/log"
  if [ $status = 1 ] && grep -q "no CUDA device" "$work/log"; then
    echo "skipped: no CUDA device and no runtime to test with"
    exit 77
  fi
  [ $status = 0 ] || exit 1
  sed -E -i 's/"(backend|seconds|events_per_s)":"?[^,}"]*"?//g' "$work/$backend/summary.json"
done
[ -s "$work/cuda/verdicts.jsonl" ] || { echo "no verdicts came out"; exit 1; }
diff -rq "$work/cpu" "$work/cuda" && cmp "$work/cpu.csv" "$work/cuda.csv" && echo "same bytes"
