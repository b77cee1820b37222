# Who reads --json or the messages late slows a run down and does not end it: while a program waits for its reader, the
# other one hears that it is there. The reader takes nothing for twice the --timeout of both.
. "$(dirname "$0")/lib.sh"
mkdir "$t/src"
for n in $(seq 800); do echo "$n" >"$t/src/a file with a long name, so that few lines about it fill a pipe $n"; done
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
