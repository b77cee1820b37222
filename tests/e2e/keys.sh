# Keys: from files only when these are private; never in argv, environment, messages or cores.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 100000
"$ZRECV" -q --new-key "$t/key"
[ "$(stat -c %a "$t/key")" = 600 ] || fail "the key file is not private"
grep -qE '^zk1_[0-9a-z]{64}$' "$t/key" || fail "the key has another form"
status_of "$ZRECV" --new-key "$t/key" 2>"$t/e.err"; expect_status 6 "--new-key over a file"
unset ZXFER_KEY
start_recv --key-file "$t/key" "$t/d"
[ -z "${ZXFER_KEY:-}" ] || fail "a key was printed though a file was given"
"$ZSEND" -q --key-file "$t/key" "$t/f" "zs://127.0.0.1:$port"; wait "$recv"; expect_same "$t/f" "$t/d/f"
# What a shell makes of a command's output is a pipe that nobody else can have put there.
rm "$t/d/f"; start_recv --key-file <(cat "$t/key") "$t/d"
"$ZSEND" -q --key-file <(read -rt 0.2 <> <(:); cat "$t/key") "$t/f" "zs://127.0.0.1:$port" || fail "a key from a pipe"
wait "$recv"; expect_same "$t/f" "$t/d/f"
chmod 640 "$t/key"
status_of "$ZSEND" --key-file "$t/key" "$t/f" zs://127.0.0.1:1 2>"$t/e.err"
expect_status 3 "a key file with group bits"
expect_in "$t/e.err" "chmod 600"
chmod 600 "$t/key"; printf 'x' >>"$t/key"
status_of "$ZSEND" --key-file "$t/key" "$t/f" zs://127.0.0.1:1 2>"$t/e.err"; expect_status 3 "a damaged key"
mkfifo "$t/fifo"; chmod 600 "$t/fifo"
status_of timeout 10 "$ZSEND" --key-file "$t/fifo" "$t/f" zs://127.0.0.1:1 2>"$t/e.err"
expect_status 3 "a FIFO as key file"
# What other users and the user's other programs can see of a listener that has a key.
start_recv "$t/d"; key=$ZXFER_KEY
ZXFER_KEY=$key; export ZXFER_KEY
"$ZRECV" --listen 127.0.0.1:0 --json="$t/second.json" "$t/d" 2>"$t/second.err" & second=$!; started+=($second)
until_true listening "$t/second.json"
! tr '\0' '\n' <"/proc/$second/environ" | grep -q zk1_ || fail "the key is still in /proc/PID/environ"
! tr '\0' '\n' <"/proc/$second/cmdline" | grep -q zk1_ || fail "the key is in argv"
! grep -q zk1_ "$t/second.json" "$t/second.err" || fail "a key that was given is printed"
grep -q 'Max core file size *0 ' "/proc/$second/limits" || fail "core dumps are possible"
kill "$second" "$recv"
# The one-time key goes into no output that other users can read; what is private, or made anew, has it.
json_key() { # MODE COMMAND...: whether --json has the key
  rm -f "$t/j"; [ "$1" = new ] || install -m "$1" /dev/null "$t/j"; shift
  "$@" 2>"$t/j.err" & recv=$!; started+=($recv)
  until_true listening "$t/j"; until_true grep -q 'ZXFER_KEY=zk1_' "$t/j.err"
  kill "$recv"; wait "$recv" || true
  grep -q '"key":"zk1_' "$t/j"
}
to_file() { exec "$ZRECV" --listen 127.0.0.1:0 --json="$t/j" "$t/d"; }
to_stdout() { exec "$ZRECV" --listen 127.0.0.1:0 --json "$t/d" >"$t/j"; }
unset ZXFER_KEY
for to in to_file to_stdout; do
  ! json_key 644 $to || fail "a key in a file that all can read, $to"
  expect_in "$t/j.err" "so without the key"
  ! json_key 640 $to || fail "a key in a file that the group can read, $to"
  json_key 600 $to || fail "no key in a private file, $to"
done
json_key new to_file || fail "no key in a new file"
