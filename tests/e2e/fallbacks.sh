# Where sendfile or splice do not work, the buffered path takes over in the middle and says so.
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip "no strace"
mkdir "$t/d"; random_file "$t/f" 30000000
start_recv -v --plain --no-auth "$t/d"
status_of strace -f -o "$t/trace" -e trace=sendfile -e inject=sendfile:error=EINVAL:when=2 \
  "$ZSEND" -v --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 0 zsend; wait_for "$recv"; expect_status 0 zrecv; expect_same "$t/f" "$t/d/f"
expect_in "$t/send.err" "sendfile does not work on this source"
rm -f "$t/recv.json"
strace -f -o "$t/trace" -e trace=splice -e inject=splice:error=EINVAL:when=4 \
  "$ZRECV" -v --plain --no-auth --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!
  started+=($recv)
until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
status_of "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0 zsend
wait_for "$recv"; expect_status 0 zrecv; expect_same "$t/f" "$t/d/f"
grep -q INJECTED "$t/trace" || fail "the fault did not fire"
expect_in "$t/recv.err" "splice does not work on this destination"
