# A reader of stderr or --json that has stalled holds nobody from ending by a signal, and outputs never
# overwrite what is worked on.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 300000000; cp "$t/f" "$t/orig"
# stderr is a pipe that is full and that nobody reads.
mkfifo "$t/full"; exec 9<>"$t/full"
python3 -c 'import os,sys
os.set_blocking(9, False)
try:
    while True: os.write(9, b"x" * 4096)
except BlockingIOError: pass
os.set_blocking(9, True)' 9>&9
for sig in TERM:143 INT:130; do
  start_recv -q --plain --no-auth --timeout=1 "$t/d"; start_proxy hold 20000000
  "$ZSEND" --plain --no-auth --progress=always "$t/f" "zs://127.0.0.1:$port" 2>&9 & send=$!; started+=($send)
  stop_in_the_middle "$recv"
  kill -"${sig%%:*}" "$send"; wait_for "$send"; expect_status "${sig##*:}" "zsend with a stalled stderr"
  kill -CONT "$recv"; wait_for "$recv"; expect_status 5
done
# A signal ends a sender that never has to wait.
start_recv -q --plain --no-auth --timeout=1 --engine=readwrite "$t/d"; start_proxy hold 20000000
"$ZSEND" -q --plain --no-auth --engine=readwrite "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
started+=($send)
until_true proxy_did hold
kill -USR1 "$proxy"
kill -TERM "$send"
wait_for "$send"
expect_status 143 "a busy sender"
wait_for "$recv"; expect_status 5; expect_only "$t/d" ""
# Outputs over the source, or both in one file.
for option in --json --digest; do
  status_of "$ZSEND" $option="$t/f" "$t/f" zs://127.0.0.1:1 2>"$t/send.err"
  expect_status 2 "$option over the source"
  expect_same "$t/f" "$t/orig"
done
status_of "$ZSEND" --json="$t/both" --digest="$t/both" "$t/f" zs://127.0.0.1:1 2>"$t/send.err"
expect_status 2 "both in one"
# Digests that cannot be written are an error of this side, though the file is there.
echo x >"$t/s"
start_recv -q --plain --no-auth "$t/d"
status_of "$ZSEND" -q --plain --no-auth --digest=/dev/full "$t/s" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 6 "--digest=/dev/full"
wait_for "$recv"; expect_status 0; expect_same "$t/s" "$t/d/s"
[ "$(stat -c %a "$t/recv.json")" = 600 ] || fail "a file that may hold a key is open to others"
