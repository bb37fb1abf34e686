#!/usr/bin/env bash
# Hosts made of network namespaces: the ssh launcher against real sshd, over links with a rate and a
# latency, one of which is cut in the middle of a run.
#
#   tests/netns/run.sh [HOSTS]        4 to 16 hosts, 4 without
#
# What it prints: throughput with the workers on one host and on HOSTS hosts, and for hosts that are
# cut off, how long it took to notice and to go on. It fails if a row is lost or doubled, or if a
# worker stays behind. It needs root, iproute2, ssh and sshd; without them it says so and returns 77.
#
#   SAGE_FLOW   the program            [target/release/sage-flow, else target/debug/sage-flow]
#   TASKS       records of a run       [1000 a host]
#   REPEAT      times that throughput is measured on one host and on all, in turns  [3]
#   RATE        of each host's link    [500mbit]
#   LATENCY_US  from host to host      [1000]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
hosts=${1:-4}
repeat=${REPEAT:-3}
rate=${RATE:-500mbit}
latency=${LATENCY_US:-1000}
half=$((latency / 2))
prefix=sageflow$$
switch=$prefix-switch

skip() { echo "SKIPPED: tests/netns: $*" >&2; exit 77; }
die() { echo "FAILED: tests/netns: $*" >&2; exit 1; }

[[ $hosts =~ ^[0-9]+$ ]] && ((hosts >= 4 && hosts <= 16)) || die "HOSTS is $hosts; expected 4 to 16"
tasks=${TASKS:-$((hosts * 1000))}
((EUID == 0)) || skip "not root, so there can be no network namespaces"
for tool in ip tc ssh ssh-keygen sort cmp; do
  command -v "$tool" > /dev/null || skip "there is no program \`$tool\`"
done
sshd=$(command -v sshd || echo /usr/sbin/sshd)
[[ -x $sshd ]] || skip "there is no sshd (package openssh-server)"
program=${SAGE_FLOW:-}
for candidate in "$here"/../../target/{release,debug}/sage-flow; do
  [[ -n $program || ! -x $candidate ]] || program=$candidate
done
[[ -n $program && -x $program ]] || die "there is no program; build it, or name it by SAGE_FLOW"
program=$(realpath "$program")

work=$(mktemp -d)
cleanup() {
  status=$?
  trap - EXIT INT TERM
  # Everything that was started lives in one of the namespaces.
  for namespace in $(ip netns list | awk -v p="$prefix-" 'index($1, p) == 1 {print $1}'); do
    pids=$(ip netns pids "$namespace" 2> /dev/null) || true
    # shellcheck disable=SC2086
    [[ -z $pids ]] || kill -9 $pids 2> /dev/null || true
    ip netns del "$namespace" || true
  done
  if ((status == 0 || status == 77)) || [[ -z ${KEEP:-} ]]; then
    rm -rf "$work"
  else
    echo "the files of the runs are in $work" >&2
  fi
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

in_switch() { ip netns exec "$switch" "$@"; }
on() { local host=$1; shift; ip netns exec "$prefix-h$host" "$@"; }
address() { echo "10.77.0.$(($1 + 1))"; }

# ---- Network -------------------------------------------------------------------------------------

ip netns add "$switch" 2> /dev/null || skip "the kernel makes no network namespaces"
in_switch ip link add bridge type bridge 2> /dev/null || skip "the kernel has no bridges"
in_switch ip link set bridge up
in_switch ip link add probe0 type veth peer name probe1 || skip "the kernel has no veth"
in_switch tc qdisc add dev probe0 root tbf rate 1mbit burst 32kb latency 50ms 2> /dev/null \
  || skip "the kernel has no tbf"
netem=yes
in_switch tc qdisc replace dev probe1 root netem delay 1ms 2> /dev/null || netem=no
in_switch ip link del probe0
if [[ $netem == no ]]; then
  command -v python3 > /dev/null || skip "the kernel has no netem, and there is no python3 for the relay"
fi

# Host 0 is where the supervisor runs.
for ((host = 0; host <= hosts; host++)); do
  namespace=$prefix-h$host
  ip netns add "$namespace"
  ip link add eth0 netns "$namespace" type veth peer name "port$host" netns "$switch"
  on "$host" ip address add "$(address "$host")/24" dev eth0
  on "$host" ip link set lo up
  on "$host" ip link set eth0 up
  in_switch ip link set "port$host" up
  on "$host" tc qdisc add dev eth0 root handle 1: tbf rate "$rate" burst 256kb latency 100ms
  in_switch tc qdisc add dev "port$host" root handle 1: tbf rate "$rate" burst 256kb latency 100ms
  if [[ $netem == yes ]]; then
    on "$host" tc qdisc add dev eth0 parent 1:1 netem delay "${half}us" limit 20000
    in_switch tc qdisc add dev "port$host" parent 1:1 netem delay "${half}us" limit 20000
    in_switch ip link set "port$host" master bridge
  else
    in_switch ip link add "relay$host" type veth peer name "inner$host"
    in_switch ip link set "relay$host" up
    in_switch ip link set "inner$host" up master bridge
    # What leaves the host must be whole frames, too.
    on "$host" python3 -c "import sys; sys.path.insert(0, '$here'); import delay; delay.plain('eth0')"
    ip netns exec "$switch" python3 "$here/delay.py" "port$host" "relay$host" "$half" &
    disown
  fi
done

# ---- Servers -------------------------------------------------------------------------------------

mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$work/hostkey"
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
cp "$work/key.pub" "$work/authorized"
cat > "$work/sshd_config" << CONFIG
HostKey $work/hostkey
AuthorizedKeysFile $work/authorized
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 100:30:200
PidFile none
CONFIG
# Each host has a monotonic clock of its own, as machines have that were started at different times.
clocks=no
if unshare --time --fork --monotonic 1000 true 2> /dev/null; then clocks=yes; fi
for ((host = 1; host <= hosts; host++)); do
  apart=()
  [[ $clocks == no ]] || apart=(--time --fork --monotonic $((host * 1000)))
  echo "$(address "$host") $(cut -d' ' -f1,2 "$work/hostkey.pub")" >> "$work/known"
  ip netns exec "$prefix-h$host" unshare --uts "${apart[@]}" sh -c "echo node$host > /proc/sys/kernel/hostname; \
    exec '$sshd' -D -e -f '$work/sshd_config' -o ListenAddress=$(address "$host")" \
    2> "$work/sshd$host.log" &
  disown
done
options=(--ssh-option "IdentityFile=$work/key" --ssh-option "UserKnownHostsFile=$work/known"
  --ssh-option "IdentitiesOnly=yes" --ssh-option "ConnectTimeout=3")
for ((host = 1; host <= hosts; host++)); do
  for ((try = 0; ; try++)); do
    if on 0 ssh -F none -o BatchMode=yes -i "$work/key" -o "UserKnownHostsFile=$work/known" \
      "$(address "$host")" true 2> "$work/ssh.log"; then break; fi
    ((try < 50)) || { cat "$work/ssh.log" "$work/sshd$host.log" >&2; die "sshd on host $host is not there"; }
    sleep 0.1
  done
done
# What a TCP connection takes to be made is one round trip; the shortest of some.
export LC_ALL=C
round_trip() {
  on 0 bash -c 'best=
    for try in 1 2 3 4 5 6 7 8 9; do
      start=${EPOCHREALTIME/./}
      exec 3<> "/dev/tcp/$1/22"
      took=$((${EPOCHREALTIME/./} - start))
      exec 3>&-
      [[ -n $best ]] && ((best <= took)) || best=$took
    done
    echo "$best"' bash "$(address 1)"
}
trip=$(round_trip)

# ---- Runs ----------------------------------------------------------------------------------------

cd "$work"
cat > flow.sage << FLOW
sage 1
type Task { id: int @key, text: string }
type Row  { id: int @key, quotient: int, text: string }
source tasks: Task from csv("tasks.csv")
sink rows: Row to csv("rows.csv")
flow netns {
  from tasks
  stage nap = sleep(20ms)
  stage quotient = 5040 / (.id % 9)
  emit Row { id: .id, quotient: quotient, text: .text } into rows
}
schedule { policy: fifo, slots: 8 }
FLOW
{
  echo "id,text"
  for ((id = 0; id < tasks; id++)); do echo "$id,text of record $id"; done
} > tasks.csv
: > hosts
for ((host = 1; host <= hosts; host++)); do address "$host" >> hosts; done
export SAGE_STATE_DIR="$work/state"

# Workers on one host, that of the supervisor.
at_home() { on 0 "$program" run flow.sage --workers "$hosts" --out "$1" --quiet; }
# Workers on all hosts; the output folder is the first argument.
away() {
  local out=$1
  shift
  on 0 "$program" run flow.sage --launcher ssh --hosts hosts "${options[@]}" --out "$out" "$@"
}
# Every ninth record fails, so a run that is as it should be returns 3.
expect() { local status=0; "$@" || status=$?; ((status == 3)) || die "\`$*\` returned $status, not 3"; }
figure() { sed -n "s/^ *\"$2\": \([-0-9.e]*\),\{0,1\}\$/\1/p" "$1/metrics.json" | head -1; }
check() {
  local out=$1 file
  for file in rows.csv dead_letters.jsonl; do
    sort "home/$file" > expected
    sort "$out/$file" > found
    cmp -s expected found || { diff expected found | head -5 >&2; die "$out/$file is not that of one host"; }
  done
  [[ $(figure "$out" tasks_in) == "$tasks" && $(figure "$out" tasks_pending) == 0 ]] \
    || die "$out: the outcome does not add up"
  local sum=$(($(figure "$out" tasks_ok) + $(figure "$out" tasks_dead) + $(figure "$out" tasks_late)))
  ((sum == tasks)) || die "$out: ok, dead and late are $sum of $tasks"
  # A task takes 20 ms; on clocks that are apart it would take a thousand seconds, or none.
  # A run that had nothing left to do when it went on has no such figure.
  [[ -z $(figure "$out" execution_p50_ms) ]] \
    || awk -v took="$(figure "$out" execution_p50_ms)" 'BEGIN { exit !(took >= 20 && took < 10000) }' \
    || die "$out: the tasks took $(figure "$out" execution_p50_ms) ms; the hosts' clocks are apart"
}
# Workers that are on a host, besides its sshd.
workers_on() {
  local pid
  for pid in $(ip netns pids "$prefix-h$1"); do
    if { tr '\0' ' ' < "/proc/$pid/cmdline"; } 2> /dev/null | grep -q " worker --join "; then echo "$pid"; fi
  done
}
no_worker_stays() {
  local host try
  for ((host = 1; host <= hosts; host++)); do
    for ((try = 0; try < 200; try++)); do
      [[ -n $(workers_on "$host") ]] || break
      sleep 0.1
    done
    [[ -z $(workers_on "$host") ]] || die "a worker stays on host $host, 20 s after the run"
  done
}
cut_off() { in_switch ip link set "port$1" down; }
heal() { in_switch ip link set "port$1" up; }

# The middle one of a figure of several runs.
middle() {
  local name=$1 out
  shift
  for out; do figure "$out" "$name"; done | sort -g | sed -n "$((($# + 1) / 2))p"
}

homes=() aways=()
for ((turn = 1; turn <= repeat; turn++)); do
  echo "one host with $hosts workers, then $hosts hosts with one worker each: $turn of $repeat"
  out=home
  ((turn == 1)) || out=home$turn
  expect at_home "$out"
  homes+=("$out")
  expect away "away$turn" --quiet
  check "away$turn"
  no_worker_stays
  aways+=("away$turn")
done

echo "$hosts hosts that call a simulated endpoint through the supervisor's gateway"
cat > calls.sage << FLOW
sage 1
type Task   { id: int @key, text: string }
type Answer { id: int @key, tokens: int }
endpoint llm { url: "sim:a100/qwen2.5-7b@50", model: "Qwen/Qwen2.5-7B-Instruct" }
source tasks: Task from csv("tasks.csv")
sink answers: Answer to csv("answers.csv")
prompt reply(text: string) -> string """
  {{ text }}
"""
flow calls {
  from tasks
  stage answer = generate(reply(.text)) on llm { max_tokens: 32 }
  emit Answer { id: .id, tokens: answer.tokens } into answers
}
schedule { policy: load_aware(spread), slots: 8 }
FLOW
on 0 "$program" run calls.sage --launcher ssh --hosts hosts "${options[@]}" --out calls --quiet \
  --tasks 200 || die "the run with an endpoint returned $?"
[[ $(figure calls tasks_ok) == 200 ]] || die "calls: not every record has an answer"
no_worker_stays

table=
for host in 1 2 "$hosts"; do
  out=cut$host
  echo "$hosts hosts, of which host $host is cut off and comes back after 6 s"
  away "$out" --quiet 2> "$out.log" &
  run=$!
  # A quarter of the records are done.
  for ((try = 0; ; try++)); do
    done_so_far=0
    [[ ! -e $out/tasks.csv ]] || done_so_far=$(wc -l < "$out/tasks.csv")
    ((done_so_far < tasks / 4)) || break
    kill -0 "$run" 2> /dev/null && ((try < 600)) || { cat "$out.log" >&2; die "$out does not get going"; }
    sleep 0.05
  done
  cut_off "$host"
  (sleep 6 && heal "$host") &
  healer=$!
  status=0
  wait "$run" || status=$?
  wait "$healer"
  ((status == 3)) || { cat "$out.log" >&2; die "the run with host $host cut off returned $status, not 3"; }
  check "$out"
  restarts=$(figure "$out" restarts)
  ((restarts >= 1)) || die "host $host was cut off and nobody noticed"
  no_worker_stays
  table+=$(printf '%-28s %10d %14.2f %14.2f %10d' "host $host cut off" "$restarts" \
    "$(figure "$out" detection_s)" "$(figure "$out" restart_s)" "$(figure "$out" tasks_again)")$'\n'
done

# ---- Results -------------------------------------------------------------------------------------

delay="tc netem"
[[ $netem == yes ]] || delay="a relay, this kernel has no netem"
row() {
  local name=$1
  shift
  printf '%-28s %10.1f %14.2f %18.0f' "$name" "$(middle throughput_per_s "$@")" \
    "$(middle startup_s "$@")" "$(middle dispatch_p50_us "$@")"
}
ratio() { for ((at = 0; at < repeat; at++)); do
  awk -v a="$(figure "${aways[at]}" throughput_per_s)" -v h="$(figure "${homes[at]}" throughput_per_s)" \
    'BEGIN { printf "%.3f ", a / h }'
done; }
cat << RESULTS

$tasks records of 20 ms, 8 slots a worker; links of $rate, $latency us from host to host by $delay
round trip to a host, as measured: $trip us; hosts with clocks of their own: $clocks; $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg); $("$program" --version)

middle of $repeat runs               records/s    start-up, s  dispatch p50, us
$(row "one host, $hosts workers" "${homes[@]}")
$(row "$hosts hosts, 1 worker each" "${aways[@]}")
hosts against host, by turn:  $(ratio)

loss                           restarts   detection, s     restart, s  run again
$table
No row was lost or doubled, and no worker stayed behind.
RESULTS
