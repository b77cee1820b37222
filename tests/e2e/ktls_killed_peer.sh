# Killed with -9 while the sender is blocked in its send, the connection direct: the other side tries for its
# time-out and ends with 5.
# Under kernel TLS a reset that meets a blocked sendfile is told once, as a short count, and each later send
# claims success: a sender that believed it would end with a success that nobody has heard of, or never.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ktls.sh"
command -v strace >/dev/null || skip "no strace"
command -v ss >/dev/null || skip "no ss"
random_file "$t/f" 60000000
# hold_recv RECV_TIMEOUT SEND_TIMEOUT: one of the first calls that move data stops the receiver (the trial of the
# kernel's TLS has made three of them, one a suite): wherever its sender is then, it will block. Only who is left is impatient, and allows two seconds of silence before it is blocked.
hold_recv() {
  rm -f "$t/recv.json"
  strace -f -o "$t/trace" -e trace=splice,pwrite64 -e inject=splice,pwrite64:signal=STOP:when=8 \
    "$ZRECV" "$on" --timeout="$1" --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & tracer=$!
    started+=("$tracer")
  until_true listening "$t/recv.json"
  port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' "$t/recv.json")
  ZXFER_KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$t/recv.json"); export ZXFER_KEY
  recv=$(pgrep -P "$tracer"); started+=("$recv")
  "$ZSEND" "$on" --timeout="$2" --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=("$send")
}
# Bytes that the sender's socket holds; blocked when they are many and become no more.
held() { ss -tnH "dport = :$port" | awk '{n = $3} END {print n + 0}'; }
blocked() { local before=$seen; seen=$(held); [ "$seen" -gt 100000 ] && [ "$seen" = "$before" ]; }
for victim in recv send; do
  unset ZXFER_KEY; rm -rf "$t"/d/.zrecv-*; seen=
  if [ $victim = recv ]; then hold_recv 60 8; else hold_recv 8 60; fi
  until_true blocked
  echo "$victim is killed with $seen bytes in the sender's socket, which waits in:" \
    "$(sed 's/^[^ ]* //; s/+.*//' "/proc/$send/stack" 2>/dev/null | grep -E 'sendfile|sendmsg|sendpage|poll|stream_wait' | tr '\n' ' ')"
  if [ $victim = recv ]; then
    before=$SECONDS
    kill -9 "$recv"; wait_for "$send"; expect_status 5 "zsend, its receiver killed"
    [ $((SECONDS - before)) -le 14 ] || fail "zsend took $((SECONDS - before)) s to find out"
    expect_in "$t/send.err" "error:"; expect_in "$t/send.err" "not made again within 8 s"
    [ ! -e "$t/d/f" ] || fail "the final name exists"
    wait "$tracer" 2>/dev/null || true
  else
    kill -9 "$send"; wait "$send" 2>/dev/null || true
    kill -CONT "$recv"; wait_for "$tracer"; expect_status 5 "zrecv, its sender killed"
    expect_in "$t/recv.err" "error:"; expect_in "$t/recv.err" "not made again within 8 s"
    expect_only "$t/d" ""
  fi
done
