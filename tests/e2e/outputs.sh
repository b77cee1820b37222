# --json, --digest and messages are complete, or the status says that they are not, with one message: a slow reader of
# a non-blocking output holds the run up and loses no line, and a stop signal still ends it.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d" "$t/s"
for i in {1..300}; do echo "$i" >"$t/s/a_longer_name_for_a_file_$i"; done
cd "$t/s"
send() { start_recv -q --plain --no-auth "$t/d"; status_of "$@" "zs://127.0.0.1:$port"; wait_for_both; }
wait_for_both() { local sent=$status; wait_for "$recv"; recv_status=$status; status=$sent; }
slowly() { send python3 "$ZX_SOURCE_DIR/tests/tools/slow_reader.py" "$1" "$t/out" "$ZSEND" --plain --no-auth "${@:2}"; }
lines() { local n; n=$(grep -c -- "$2" "$t/out" || true); [ "$n" = "$1" ] || fail "$n lines of $1 have $2"; }

slowly 1 --json *; expect_status 0 "--json with a slow reader"
lines 300 '"event":"entry".*}$'; lines 1 '"event":"summary"'
slowly 1 --digest *; expect_status 0 "--digest with a slow reader"
lines 300 '  a_longer_name_for_a_file_[0-9]*$'
slowly 2 --overwrite=differ -p *  # times are there from now on
slowly 2 -v --overwrite=differ -p *; expect_status 0 "messages with a slow reader"
lines 100 "': skipped: "; lines 1 'zsend: skipped: and 200 more$'

# What cannot be written.
cannot() { # WORDS COMMAND...: one message with these words
  send "${@:2}" 2>"$t/send.err"; expect_status 6 "$1"
  [ "$recv_status" = 0 ] || fail "zrecv ended with $recv_status"
  [ "$(wc -l <"$t/send.err")" = 1 ] && grep -q "error: $1: the end is missing: " "$t/send.err" || fail "$1: not one message"
}
with() { "$ZSEND" -q --plain --no-auth "$@"; }
to() { local out=$1; shift; with "$@" >"$out"; }
closed() { with "$@" >&-; }
one=a_longer_name_for_a_file_1
cannot --json to /dev/full --json $one
cannot --json with --json=/dev/full $one
cannot --json closed --json $one
cannot --digest to /dev/full --digest $one
cannot --digest closed --digest $one
for p in "$ZSEND" "$ZRECV"; do for what in --help --version; do
  status_of "$p" $what >/dev/full 2>"$t/p.err"; expect_status 6 "$what that cannot be written"; expect_in "$t/p.err" 'error: '
done; done
# The summary in a file tells that the digests are lost.
send with --digest=/dev/full --json="$t/json" $one 2>"$t/send.err"; expect_status 6
tail -1 "$t/json" | grep -q '"event":"summary","exit":6,' || fail "the summary does not tell what is lost"

# A reader who takes nothing.
mkfifo "$t/stalled"; exec 9<>"$t/stalled"
start_recv -q --plain --no-auth "$t/d"
"$ZSEND" --plain --no-auth --json * * * * * "zs://127.0.0.1:$port" >&9 2>"$t/send.err" & send=$!; started+=("$send")
full() { python3 -c 'import select,sys; sys.exit(bool(select.select([],[9],[],0)[1]))' 9>&9; }
until_true full; kill -TERM "$send"; wait_for "$send"; expect_status 143 "zsend with a stalled --json"
wait_for "$recv"
