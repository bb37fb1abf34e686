#!/usr/bin/env bash
# Makes the reference results of the plan's experiments again, as they lie under results/.
#
# The twin runs the plan in full. With real processes the parts that would take hours are shorter:
# fewer tasks where one call at a time is made, fewer repeats where a repeat takes minutes. Each
# folder's setup.json has the sizes that were run. What is kept is what fits a repository: figures,
# tables and the report, but not the folders of single runs.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: experiments/reference.sh [twin|sim|all]

Runs exp1 to exp4b on the twin (half a minute) and with real processes before the simulated endpoint
(about three quarters of an hour; leave the machine alone meanwhile), and puts the results into
results/EXPERIMENT/reference-BACKEND.

  SAGE_FLOW   the program to use; built (release) when it is not set
  KEEP        a folder in which the runs are kept, too; without it they are thrown away
TEXT
}

which=${1:-all}
case $which in
  twin | sim | all) ;;
  -h | --help)
    usage
    exit 0
    ;;
  *)
    usage >&2
    exit 1
    ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -z ${SAGE_FLOW:-} ]]; then
  cargo build --release --locked --package sage-flow
  SAGE_FLOW=${CARGO_TARGET_DIR:-target}/release/sage-flow
fi
if [[ -n ${KEEP:-} ]]; then
  work=$KEEP
  mkdir -p "$work"
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi

# part EXPERIMENT BACKEND [OPTION...]: run it, and keep what is to be kept.
part() {
  local name=$1 backend=$2
  shift 2
  "$SAGE_FLOW" experiment run "$name" --on "$backend" --fresh --machine reference --quiet \
    --out "$work/$name-$backend" "$@"
  local kept=results/$name/reference-$backend
  rm -rf "$kept"
  mkdir -p "$kept"
  for file in setup.json metrics.json summary.txt comparison.txt tables.tex report.html; do
    if [[ -f $work/$name-$backend/$file ]]; then
      cp "$work/$name-$backend/$file" "$kept/"
    fi
  done
  if [[ -z ${KEEP:-} ]]; then
    rm -rf "${work:?}/$name-$backend"
  fi
  printf '%s on %s -> %s\n' "$name" "$backend" "$kept"
}

if [[ $which != sim ]]; then
  for name in exp1 exp1_slots exp1_large exp2a exp2b exp3 exp3_split exp4a exp4a_endpoint exp4b exp4b_short; do
    part "$name" twin
  done
fi
if [[ $which != twin ]]; then
  part exp1 sim --repeat 1
  part exp2a sim --repeat 2
  part exp2b sim --repeat 3
  part exp3 sim --tasks 120 --repeat 1
  part exp3_split sim --repeat 3
  part exp4a sim --repeat 1
  part exp4a_endpoint sim --repeat 1
  part exp4b sim --tasks 300 --repeat 1
  part exp4b_short sim
fi
