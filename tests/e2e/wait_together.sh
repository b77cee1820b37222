# Who comes to a receiver that another one has, or that is not there yet, waits with --wait and gets his turn: two and
# ten at once at an always-on loop, three that are there before it.
. "$(dirname "$0")/lib.sh"
for n in $(seq 10); do random_file "$t/f$n" 3000000; done
# A port that is ours for all the listeners of the loop, which take it one after the other.
coproc hold { exec python3 -uc 'import socket,sys
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1",0))
print(s.getsockname()[1]); sys.stdin.read()'; }
read -r port <&"${hold[0]}"; started+=("$hold_PID")
mode="--plain --no-auth"
if [ -z "${ZX_GUEST:-}" ]; then "$ZRECV" -q --new-key "$t/key"; keyed="--key-file=$t/key"; else keyed=$mode; fi
loop() {
  exec 2>/dev/null
  while [ ! -e "$t/stop" ]; do
    "$ZRECV" -q $mode --wait 5 --listen "127.0.0.1:$port" "$t/d" 2>>"$t/recv.err" || true
  done
}
begin_loop() { rm -rf "$t/d" "$t/stop"; mkdir "$t/d"; : >"$t/recv.err"; loop & looping=$!; started+=("$looping"); }
end_loop() {
  touch "$t/stop"; pkill -P "$looping" 2>/dev/null || true; wait "$looping" || true
}
come() {  # NUMBER: so many senders at once
  senders=()
  for n in $(seq "$1"); do
    "$ZSEND" -q $mode --wait 30 "$t/f$n" "zs://127.0.0.1:$port" 2>"$t/send$n.err" &
    senders+=($!); started+=($!)
  done
}
all_have_come() {  # WHAT
  local n=0 pid
  for pid in "${senders[@]}"; do
    n=$((n + 1)); wait_for "$pid"
    expect_status 0 "sender $n of ${#senders[@]}, $1"; expect_same "$t/f$n" "$t/d/f$n"
  done
}
for mode in "$mode" "$keyed"; do
  begin_loop
  for number in 2 10 2; do come $number; all_have_come "at a loop${mode:+, $mode}"; done
  end_loop
  come 3
  # What they sleep for is the next attempt.
  until_true eval '! grep -L "^State:.*sleeping" $(printf "/proc/%s/status " "${senders[@]}") | grep -q .'
  begin_loop; all_have_come "there first"; end_loop
done
