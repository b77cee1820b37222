# INT, TERM, HUP remove the temporary file and end the program by that signal; the other side says 5, or 10 when it
# has given up the stopped one before. USR1 prints one line of progress; a closed stdout does not kill.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" $large
has_temp() { ls "$t/d"/.zrecv-* >/dev/null 2>&1; }
start_pair() {
  start_recv -q --plain --timeout=1 "$t/d"; start_proxy hold 5000000
  "$ZSEND" -q --plain --timeout=1 --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=($send)
  until_true has_temp; stop_in_the_middle "$recv"
}
for sig in INT:130 TERM:143 HUP:129; do
  start_pair; kill -"${sig%%:*}" "$recv"; kill -CONT "$recv"
  wait_for "$recv"; expect_status "${sig##*:}" "zrecv after ${sig%%:*}"
  wait_for "$send"; [ "$status" = 10 ] || expect_status 5 "zsend of it"; expect_only "$t/d" ""
  grep -q "\"exit\":${sig##*:}" "$t/recv.json" || fail "the summary has another status"
done
start_pair; kill -INT "$send"; wait_for "$send"; expect_status 130 "zsend after INT"
kill -CONT "$recv"; wait_for "$recv"; expect_status 5 "zrecv of it"; expect_only "$t/d" ""
# A listener that waits, and a connector that waits.
start_recv -q "$t/d"; kill -TERM "$recv"; wait_for "$recv"; expect_status 143 "a waiting listener"
"$ZSEND" -q --wait 1000 "$t/f" zs://127.0.0.1:1 2>"$t/send.err" & send=$!; started+=($send)
# Not the shell's child before it is zsend, which ignores INT and blocks signals too.
blocked() { [ "$(cat /proc/$send/comm)" = zsend ] && [ "$(awk '/^SigBlk/{print $2}' /proc/$send/status)" != 0000000000000000 ]; }
until_true blocked
kill -INT "$send"; wait_for "$send"; expect_status 130 "a waiting connector"
# nohup: a signal that was ignored at the start stays ignored.
(trap '' HUP; exec "$ZRECV" --listen 127.0.0.1:0 --json="$t/nohup.json" -q "$t/d" 2>"$t/nohup.err") & recv=$!; started+=($recv)
until_true listening "$t/nohup.json"
kill -HUP "$recv"; kill -TERM "$recv"; wait_for "$recv"; expect_status 143 "HUP was ignored, TERM not"
# USR1 in the middle.
start_pair; kill -USR1 "$send"; said() { grep -qE 'zsend: .*MB.*/s' "$t/send.err"; }; until_true said
kill -CONT "$recv"; wait_for "$send"; expect_status 0; wait_for "$recv"; expect_status 0
# A reader of --json that is gone must not end the transfer, nor by SIGPIPE; the status tells what it has missed.
start_recv -q --plain --no-auth "$t/d"
set +e; "$ZSEND" -q --plain --no-auth --json "$t/f" "zs://127.0.0.1:$port" | true; status=${PIPESTATUS[0]}; set -e
expect_status 6 "zsend with a closed stdout"; wait_for "$recv"; expect_status 0
