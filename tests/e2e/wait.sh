# --wait lets the connector start first, and bounds a listener; --timeout bounds a silent peer.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 1000
# A port that is ours but that nobody listens on yet.
coproc hold { exec python3 -uc 'import socket,sys
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1",0))
print(s.getsockname()[1]); sys.stdin.read()'; }
read -r port <&"${hold[0]}"; started+=("$hold_PID")
status_of "$ZSEND" -q --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/s.err"
expect_status 5 "nobody there"
expect_in "$t/s.err" "connect: Connection refused (is zrecv --listen $port running there, or busy? does a firewall let it through? --wait SEC keeps trying)"
status_of "$ZRECV" -q --plain --no-auth --wait 1 "zs://127.0.0.1:$port" "$t/d" 2>"$t/s.err"
expect_status 5 "nobody there for a second"
grep -q "refused after 1 s (is zsend --listen $port running there, or busy? does a firewall let it through?)" "$t/s.err" || fail "does not say how long it waited"
"$ZSEND" -q --plain --no-auth --wait 60 "$t/f" "zs://127.0.0.1:$port" 2>"$t/s.err" & send=$!; started+=($send)
"$ZRECV" -q --plain --no-auth --listen "127.0.0.1:$port" "$t/d" 2>"$t/r.err" & recv=$!; started+=($recv)
wait_for "$send"; expect_status 0 zsend; wait_for "$recv"; expect_status 0 zrecv; expect_same "$t/f" "$t/d/f"
# The same the other way round: the receiver connects, and is there first.
"$ZRECV" -q --plain --no-auth --wait 60 "zs://127.0.0.1:$port" "$t/d/fetched" 2>"$t/r.err" & recv=$!
started+=($recv)
"$ZSEND" -q --plain --no-auth --listen "127.0.0.1:$port" "$t/f" 2>"$t/s.err" & send=$!; started+=($send)
wait_for "$send"
expect_status 0 zsend
wait_for "$recv"
expect_status 0 zrecv
expect_same "$t/f" "$t/d/fetched"
status_of "$ZRECV" -q --wait 1 --listen 127.0.0.1:0 "$t/d" 2>"$t/r.err"
expect_status 10 "a listener with --wait"
expect_in "$t/r.err" "within 1 s"
# A name service that does not answer is waited for, as a listener that is not there yet.
if unshare --net true 2>/dev/null; then
  begun=$SECONDS
  status_of unshare --net "$ZSEND" -q --plain --no-auth --wait 3 "$t/f" zs://nosuch.example 2>"$t/s.err"
  expect_status 5 "no name service"; expect_in "$t/s.err" "look up: Temporary failure"
  [ $((SECONDS - begun)) -ge 2 ] || fail "does not wait for the name service"
fi
# A peer that stops in the middle.
random_file "$t/f" 100000000
start_recv -q --plain --no-auth "$t/d"; start_proxy hold 20000000
"$ZSEND" -q --plain --no-auth --timeout 2 "$t/f" "zs://127.0.0.1:$port" 2>"$t/s.err" & send=$!
started+=($send)
stop_in_the_middle "$recv"
wait_for "$send"; expect_status 10 "a sender with a stopped receiver"; expect_in "$t/s.err" "timed out"
kill -9 "$recv"
start_recv -q --plain --no-auth --timeout 2 "$t/d"; start_proxy hold 20000000
"$ZSEND" -q --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/s.err" & send=$!; started+=($send)
stop_in_the_middle "$send"
wait_for "$recv"; expect_status 10 "a receiver with a stopped sender"
