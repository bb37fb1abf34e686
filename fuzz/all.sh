#!/usr/bin/env bash
# Builds all fuzz targets and runs each for some seconds on its seeds: fuzz/all.sh [SECONDS].
# Prints a line for each, and ends with 1 if one found something (see fuzz/artifacts).
# Needs a nightly toolchain and `cargo install cargo-fuzz`.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-20}"
target_dir="${CARGO_TARGET_DIR:-fuzz/target}"

cargo +nightly fuzz build -s none --target-dir "$target_dir" || exit 1
found=0
for file in fuzz/fuzz_targets/*.rs; do
  name="$(basename "$file" .rs)"
  # A damaged Parquet page may announce up to 4 GiB, which are asked for and never touched.
  limit=2048
  if [[ $name == parquet_file ]]; then limit=5000; fi
  mkdir -p "fuzz/corpus/$name"
  if log="$(cargo +nightly fuzz run -s none --target-dir "$target_dir" "$name" \
    "fuzz/corpus/$name" "fuzz/seeds/$name" -- \
    -timeout=20 -max_total_time="$seconds" -malloc_limit_mb="$limit" 2>&1)"; then
    echo "$name: $(grep -oE 'Done [0-9]+ runs in [0-9]+ second' <<< "$log" | tail -1)(s), nothing found"
  else
    found=1
    printf '%s: FOUND SOMETHING\n%s\n' "$name" "$(tail -20 <<< "$log")"
  fi
done
exit "$found"
