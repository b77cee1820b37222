# zrecv --exec: a command takes the content. Only when it has taken all of it and ended with 0 both sides say 0, and
# it never sees an end of its input that is not the end of the content.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_stream.sh"
most=10
random_file "$t/big" $large; printf x >"$t/one"; : >"$t/empty"
# Both end with 11 and say so.
fails() {  # WORDS COMMAND [OPTIONS]
  local words=$1 command=$2; shift 2
  start_recv $mode "$@" --exec "$command"
  quickly send "$t/big" $mode; expect_both 11 "$command $mode $*"
  expect_in "$t/recv.err" "zrecv: error: the --exec command $words"
  expect_in "$t/send.err" "zsend: error: peer: the --exec command $words"
}
for mode in "${modes[@]}"; do
  for way in "" --verify-first; do
    for file in big one empty; do
      start_recv -v $mode $way --exec "cat >'$t/got'"
      send "$t/$file" $mode; expect_both 0 "$file $mode $way"; expect_same "$t/$file" "$t/got"
      expect_in "$t/recv.json" '"durable":false'
    done
    # All was taken by then: it is the status alone.
    fails "ended with status 3" "cat >'$t/got'; exit 3" $way; expect_same "$t/big" "$t/got"
    fails "ended with status 3" "exit 3" $way
    # Also when somebody else still holds its input, and does not read it.
    fails "ended with status 3" "exec 3<&0; sleep 1000 <&3 & exit 3" $way
    fails "ended with status 127" "exec /no/such/command" $way
    fails "was killed by signal 9 (SIGKILL)" "head -c 1000 >/dev/null; kill -9 \$\$" $way
    fails "ended before it had taken everything" "head -c $((large - 1)) >/dev/null" $way
    fails "ended before it had taken everything" "true" $way
    fails "closed its input before it had taken everything" "exec <&-; sleep 60" $way
  done
  # Its own output is ours.
  start_recv -q $mode --exec "md5sum"; send "$t/big" -q $mode; expect_both 0 "md5sum"
  [ "$(cat "$t/recv.out")" = "$(md5sum <"$t/big")" ] || fail "another sum"
  start_send -q $mode "$t/big"
  status_of "$ZRECV" -q $mode --exec "cat >'$t/got'" "zs://127.0.0.1:$port" 2>"$t/recv.err"
  expect_status 0 "pull $mode"
  wait_for "$send"; expect_status 0; expect_same "$t/big" "$t/got"
done
mode="--plain --no-auth"

# Where /proc is not mounted, as in a container that is being built. (Sanitizers read their options there, so that
# the leak checker, which needs it too, cannot be switched off.)
without_proc() { unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' - "$@"; }
if [ -z "${ZX_SANITIZE:-}" ] && without_proc true 2>/dev/null; then
  for case in 0:"cat >'$t/got'" 11:"head -c $((large - 1)) >/dev/null"; do
    without_proc "$ZRECV" $mode --listen 127.0.0.1:0 --json="$t/none.json" --exec "${case#*:}" 2>"$t/recv.err" & recv=$!
    started+=("$recv")
    until_true listening "$t/none.json"; port=$(field "$t/none.json" port)
    send "$t/big" $mode; expect_both "${case%%:*}" "without /proc, ${case#*:}"; rm "$t/none.json"
  done
  expect_same "$t/big" "$t/got"
fi

# Killed from outside, while it reads and while it only ends.
start_recv -q $mode --exec "echo \$\$ >'$t/command.new'; mv '$t/command.new' '$t/command'; cat >/dev/null"
start_proxy hold 20000000
"$ZSEND" -q $mode "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
until_true proxy_did hold; until_true test -e "$t/command"
kill -9 -- -"$(cat "$t/command")"; kill -USR1 "$proxy"
wait_for "$recv"; expect_status 11 "zrecv"; wait_for "$send"; expect_status 11 "zsend"; kill "$proxy"
expect_in "$t/send.err" "killed by signal 9"

# It may take its time after the end of its input, longer than the time-out of both sides.
mkfifo "$t/go"
start_recv -q $mode --timeout=1 --exec "cat >/dev/null; touch '$t/read'; read -r line <'$t/go'"
"$ZSEND" -q $mode --timeout=1 "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
until_true test -e "$t/read"; before=$SECONDS
three_seconds() { [ $((SECONDS - before)) -ge 3 ]; }
until_true three_seconds
kill -0 "$recv" && kill -0 "$send" || fail "somebody did not wait for the command"
echo go >"$t/go"
wait_for "$recv"
expect_status 0 "zrecv, late"
wait_for "$send"
expect_status 0 "zsend, late"

# Cut short: the command is ended and has not seen the end of its input, also when it does not care for SIGTERM; nor
# does anything of it stay.
# Of the process group, dead ones that nobody has waited for yet do not count.
gone() { ! ps -eo pgid=,stat= | awk -v group="$1" '$1 == group && $2 !~ /^Z/' | grep -q .; }
for ignores in "" "trap '' TERM; "; do
  for victim in send recv; do
    rm -f "$t/command" "$t/clean"
    patience=(--timeout=60 --timeout=60)
    [ $victim = send ] && patience[1]=--timeout=2 || patience[0]=--timeout=2
    start_recv -q $mode "${patience[1]}" --block-size=1M --exec "$ignores echo \$\$ >'$t/command.new'; mv '$t/command.new' '$t/command'; cat >/dev/null; touch '$t/clean'"
    start_proxy hold 20000000
    "$ZSEND" -q $mode "${patience[0]}" "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
    started+=("$send")
    until_true proxy_did hold; until_true test -e "$t/command"
    break_off $victim "$recv" INT 130
    until_true gone "$(cat "$t/command")"
    [ ! -e "$t/clean" ] || fail "the command saw a clean end of half a file"
  done
done
# Killed, zrecv has no time to end it: its guard does.
rm -f "$t/command" "$t/clean"
start_recv -q $mode --exec "echo \$\$ >'$t/command.new'; mv '$t/command.new' '$t/command'; cat >/dev/null; touch '$t/clean'"
start_proxy hold 20000000
"$ZSEND" -q $mode --timeout=1 "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
until_true proxy_did hold; until_true test -e "$t/command"
kill -9 "$recv"; wait "$recv" 2>/dev/null || true
until_true gone "$(cat "$t/command")"
[ ! -e "$t/clean" ] || fail "the command saw a clean end of half a file when zrecv was killed"
kill -USR1 "$proxy"; wait_for "$send"; expect_status 5 "zsend of a killed zrecv"
# Interrupted while it is only waited for.
start_recv -q $mode --exec "cat >/dev/null; touch '$t/read2'; sleep 100"
"$ZSEND" -q $mode "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
until_true test -e "$t/read2"
kill -TERM "$recv"
quickly wait_for "$recv"
expect_status 143 "zrecv, waiting"
quickly wait_for "$send"; expect_status 5 "zsend of it"
# And when the sender dies then.
start_recv -q $mode --timeout=2 --exec "cat >/dev/null; touch '$t/read3'; sleep 100"
"$ZSEND" -q $mode "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
until_true test -e "$t/read3"
kill -9 "$send"
quickly wait_for "$recv"
expect_status 5 "zrecv, waiting for the command"
wait "$send" 2>/dev/null || true

# With --verify-first it is not started for what fails.
start_recv -q $mode --timeout=2 --verify-first --exec "touch '$t/begun'; cat >/dev/null"
start_proxy hold 20000000
"$ZSEND" -q $mode "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
until_true proxy_did hold; kill -9 "$send"; kill -USR1 "$proxy"; wait_for "$recv"; expect_status 5
[ ! -e "$t/begun" ] || fail "the command was started"
# The key is not in its environment.
export ZXFER_KEY; ZXFER_KEY=$("$ZRECV" --new-key "$t/key" 2>/dev/null; tail -1 "$t/key")
start_recv -q --exec "cat >/dev/null; env >'$t/env'"; send "$t/one" -q; expect_both 0 "env"
! grep -q ZXFER_KEY "$t/env" || fail "the command has the key"
