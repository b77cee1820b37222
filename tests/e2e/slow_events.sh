# Who reads --json or the messages late slows a run down and does not end it: while a program waits for its reader, the
# other one hears that it is there. The reader takes nothing for twice the --timeout of both.
. "$(dirname "$0")/lib.sh"
mkdir "$t/src"
for n in $(seq 800); do
  echo "$n" >"$t/src/a file with a long name, so that few lines about it fill a pipe $n"
done
mkfifo "$t/events" "$t/go"
# stalls SIDE: its --json goes to a pipe whose reader waits for a line of the fifo "go".
stalls() {
  local side=$1 events; rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY
  { read -r line <"$t/go"; cat >"$t/$side.events"; } <"$t/events" & reader=$!; started+=("$reader")
  if [ "$side" = recv ]; then
    start_recv_to "$t/events"; events=$t/send.json
  else
    start_recv -v --plain --no-auth --timeout=2 "$t/d"; events=$t/events
  fi
  "$ZSEND" -v --plain --no-auth --timeout=2 --json="$events" "$t"/src/* "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=("$send")
  # That is the case itself. So many files take less than a second: who is there afterwards waits for its reader.
  local before=$SECONDS
  while [ $((SECONDS - before)) -lt 4 ]; do read -rt 0.1 <> <(:) || true; done
  kill -0 "${!side}" 2>/dev/null || fail "the pipe has taken all ($side)"
  kill -0 "$send" 2>/dev/null && kill -0 "$recv" 2>/dev/null || fail "one of them has ended ($side)"
  ! grep "lost" "$t/send.err" "$t/recv.err" || fail "a connection was lost ($side)"
  echo go >"$t/go"
  wait_for "$send"
  expect_status 0 "zsend ($side)"
  wait_for "$recv"
  expect_status 0 "zrecv ($side)"
  wait "$reader"
  [ "$(grep -c '"event":"entry"' "$t/$side.events")" = 800 ] || fail "events are missing ($side)"
  [ "$(ls "$t/d" | wc -l)" = 800 ] || fail "files are missing ($side)"
}
# Its standard error says that it listens, since its events come late.
start_recv_to() {
  "$ZRECV" -v --plain --no-auth --timeout=2 --listen 127.0.0.1:0 --json="$1" "$t/d" 2>"$t/recv.err" & recv=$!
  started+=("$recv")
  until_true grep -q 'listening on port' "$t/recv.err"
  port=$(sed -n 's/.*listening on port \([0-9]*\).*/\1/p' "$t/recv.err")
}
for side in recv send; do stalls $side; done

# The thread of a further connection that has to wait for the reader of messages holds up neither its own program nor the
# other one: what it says here is that a block has to be sent again.
random_file "$t/f" 40000000; rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY
mkfifo "$t/messages"; exec 9<>"$t/messages"
start_recv --plain --no-auth --timeout=8 "$t/d"; start_proxy hold=3000000,on=1 flip=5000000,on=1
"$ZSEND" -v --plain --no-auth --timeout=8 --streams=2 --bwlimit=20M --block-size=1M "$t/f" "$t"/src/* "zs://127.0.0.1:$port" 2>&9 & send=$!
started+=("$send")
until_true proxy_did hold 1
python3 -c 'import os
messages = os.open("/proc/self/fd/9", os.O_WRONLY | os.O_NONBLOCK)
try:
    while True: os.write(messages, b"x" * 4095 + b"\n")
except BlockingIOError: pass' 9>&9
kill -USR1 "$proxy"; until_true proxy_did flip 1
wait_for "$recv"
expect_status 0 "zrecv (a further connection)"
for count in reconnects streams_lost; do
  [ "$(field "$t/recv.json" $count)" = 0 ] || fail "$count: $(tail -1 "$t/recv.json")"
done
kill -0 "$send" 2>/dev/null || fail "the sender has not waited for its reader"
cat <&9 >"$t/send.err" & reader=$!; started+=("$reader")
wait_for "$send"
expect_status 0 "zsend (a further connection)"
until_true grep -q "did not arrive as it was read; sending it again" "$t/send.err"
