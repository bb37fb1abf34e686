#!/usr/bin/env bash
# Runs the experiments of the plan: builds sage-flow, then runs one part after the other.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: ./sage_experiment.sh [NAME...] [OPTION...]

Builds sage-flow (release) and runs the experiments NAME..., or all of the folder experiments/, in
order. It cleans up after each part, goes on after one that failed, and names it at the end.
The results go to results/EXPERIMENT/DATE-MACHINE-BACKEND; an interrupted run goes on when the same
command is given again.

Options are those of `sage-flow experiment run`; the usual ones:
  --on BACKEND,...  twin (virtual time, seconds), sim (real processes, simulated endpoint; the
                    default), live (real processes, real endpoint)
  --quick           the short form of every experiment
  --nodes N,...     other numbers of nodes
  --tasks N         other numbers of tasks
  --endpoint URL    endpoint of a live run
  --help            this text; all options: sage-flow experiment run --help

Examples:
  ./sage_experiment.sh --on twin
  ./sage_experiment.sh --quick
  ./sage_experiment.sh exp2b exp3 --on sim,twin
  ./sage_experiment.sh exp1 --on live --endpoint http://10.0.0.7:8000

Exit codes: 0 everything ran, 1 wrong use or build, 2 a part failed, 130 interrupted.
TEXT
}

names=()
while [[ $# -gt 0 && $1 != -* ]]; do
  names+=("$1")
  shift
done
for argument in "$@"; do
  if [[ $argument == --help || $argument == -h ]]; then
    usage
    exit 0
  fi
done
if [[ ${#names[@]} -eq 0 ]]; then
  names=(all)
fi

cd "$(dirname "${BASH_SOURCE[0]}")"
if ! command -v cargo > /dev/null; then
  echo "error: cargo is not there; install Rust from https://rustup.rs" >&2
  exit 1
fi
cargo build --release --locked --package sage-flow || exit 1
program="${CARGO_TARGET_DIR:-target}/release/sage-flow"
exec "$program" experiment run "${names[@]}" "$@"
