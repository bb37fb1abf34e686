#!/usr/bin/env bash
# The official openai client against the built simulator and gateway.
#
# Needs python3 with venv and pip, and the package index or a filled cache; without them it says so
# on stderr and succeeds, because a machine without Python must still be able to run all checks.
#   SAGE_FLOW_BIN            the binary (default: target/debug/sage-flow of this checkout)
#   SAGE_FLOW_CLIENTS_VENV   where the client is installed and kept for the next run
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
binary="${SAGE_FLOW_BIN:-${CARGO_TARGET_DIR:-$root/target}/debug/sage-flow}"
venv="${SAGE_FLOW_CLIENTS_VENV:-${TMPDIR:-/tmp}/sage-flow-clients-venv}"
packages=(openai==3.57.0 jsonschema==4.26.0)

skip() {
  printf '\n*** SKIPPED: the official openai client was NOT tried: %s ***\n\n' "$1" >&2
  exit 0
}

if [ ! -x "$binary" ]; then
  echo "no binary at $binary: build it first (cargo build -p sage-flow) or set SAGE_FLOW_BIN" >&2
  exit 1
fi
command -v python3 >/dev/null || skip "python3 is missing"
python3 -c 'import venv, ensurepip' 2>/dev/null || skip "python3 has no venv or no pip"

# A finished installation is marked with what it holds, so a broken or an old one is made anew.
stamp="$venv/.sage-flow-clients"
if [ "$(cat "$stamp" 2>/dev/null)" != "${packages[*]}" ]; then
  log="$(mktemp)"
  rm -rf "$venv"
  if ! { python3 -m venv "$venv" && timeout 300 "$venv/bin/python" -m pip install \
    --quiet --disable-pip-version-check --retries 1 --timeout 15 "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 3 "$log" >&2
    rm -rf "$log" "$venv"
    skip "pip could not install ${packages[*]}"
  fi
  rm -f "$log"
  echo "${packages[*]}" >"$stamp"
fi

work="$(mktemp -d)"
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

# start NAME ARGUMENTS...: runs a verb of the binary and sets `url` to the line it prints.
start() {
  local name="$1"
  shift
  "$binary" "$@" --listen 127.0.0.1:0 >"$work/$name.out" 2>"$work/$name.err" &
  pids+=("$!")
  for _ in $(seq 200); do
    url="$(head -n 1 "$work/$name.out")"
    if [ -n "$url" ]; then return 0; fi
    kill -0 "${pids[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "$name did not start: $binary $*" >&2
  cat "$work/$name.err" >&2
  return 1
}

export SAGE_CLIENTS_KEY=client-key SAGE_CLIENTS_TOKEN=gateway-token
model=Qwen/Qwen2.5-7B-Instruct
embedder=BAAI/bge-small-en-v1.5
failed=0
try() { "$venv/bin/python" "$here/openai_client.py" "$@" || failed=1; }

start simulator simulator --speed 20 --api-key-env SAGE_CLIENTS_KEY
simulator="$url"
try simulator "$simulator" --key "$SAGE_CLIENTS_KEY"

start throttled simulator --speed 20 --fault status_429=1/2,retry_after=1s
try throttled "$url"

start gateway gateway --api-key-env SAGE_CLIENTS_KEY --token-env SAGE_CLIENTS_TOKEN \
  --upstream "$simulator" --model "$model" --upstream "$simulator" --model "$embedder"
try gateway "$url" --key "$SAGE_CLIENTS_TOKEN" --simulator "$simulator"

# A gateway with one place and a line of one, in front of a slow simulator.
if "$binary" gateway --help | grep -q -- '--queue'; then
  start slow simulator --speed 2
  start narrow gateway --upstream "$url" --model "$model" --concurrency 1 --queue 1
  try full-line "$url"
else
  echo "*** SKIPPED: the full line was NOT tried: this gateway has no --queue option ***" >&2
fi

exit "$failed"
