#!/usr/bin/env bash
# Runs the experiments of the plan: builds sage-flow, then runs one part after the other.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: ./sage_experiment.sh [NAME|OPTION]...

Builds sage-flow (release) and runs the experiments NAME..., or all of the folder experiments/, in
order. It cleans up after each part, goes on after one that failed, and names it at the end.
The results go to results/EXPERIMENT/DATE-MACHINE-BACKEND; an interrupted run goes on when the same
command is given again.

Options are those of `sage-flow experiment run`; the usual ones:
  --on BACKEND,...  twin (virtual time, seconds), sim (real processes, simulated endpoint; the
                    default), live (real processes, real endpoint)
  --quick           the short form of every experiment
  --nodes N,...     other numbers of nodes
  --profile NAME    on twin: what stands in for servers that are not simulated
  --tasks N         other numbers of tasks
  --endpoint URL    endpoint of a live run
  --strict          exit with 3 unless every claim holds
  --allow-exec      let flows run the programs that their exec stages name
  --allow-http HOST let http stages and sources of flows ask that host
  --help            this text; all options: sage-flow experiment run --help

Examples:
  ./sage_experiment.sh --on twin
  ./sage_experiment.sh --quick
  ./sage_experiment.sh --on sim,twin exp2b exp3
  ./sage_experiment.sh exp1 --on live --endpoint http://10.0.0.7:8000

Exit codes: 0 everything ran, 1 wrong use or build, 2 a part failed, 3 a claim does not hold (with
--strict), 130 interrupted.
TEXT
}

# Names may stand anywhere. What follows one of these options is its value and no name.
takes_value=(--on --nodes --tasks --slots --concurrency --scheduler --endpoint --repeat --seed
  --only --cores --profile --machine --out --allow-http)
names=(all)
is_value=no
for argument in "$@"; do
  if [[ $is_value == yes ]]; then
    is_value=no
  elif [[ $argument == --help || $argument == -h ]]; then
    usage
    exit 0
  elif [[ " ${takes_value[*]} " == *" $argument "* ]]; then
    is_value=yes
  elif [[ $argument != -* ]]; then
    names=()
  fi
done

cd "$(dirname "${BASH_SOURCE[0]}")"
if ! command -v cargo > /dev/null; then
  echo "error: cargo is not there; install Rust from https://rustup.rs" >&2
  exit 1
fi
cargo build --release --locked --package sage-flow || exit 1
program="${CARGO_TARGET_DIR:-target}/release/sage-flow"
exec "$program" experiment run ${names[@]+"${names[@]}"} "$@"
