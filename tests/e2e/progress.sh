# Progress: none without a terminal, whole lines when forced, a bar with rate and ETA on a terminal.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 50000000
go() {  # OPTIONS...: the receiver is held until the sender has shown progress, where it does
  start_recv -q --plain --no-auth "$t/d"
  status_of "$ZSEND" --plain --no-auth "$@" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0
  wait_for "$recv"; expect_status 0
}
go; [ ! -s "$t/send.err" ] || fail "says something without a terminal"
go -v; expect_in "$t/send.err" "verified XXH3-128, durable"
go -v -q; [ ! -s "$t/send.err" ] || fail "-q is not quiet"
# On a terminal (script(1) makes one), with the receiver stopped until the bar has been drawn.
command -v script >/dev/null || skip "no script(1)"
random_file "$t/f" 200000000
start_recv -q --plain --no-auth "$t/d"; start_proxy hold 20000000
script -qfc "'$ZSEND' --plain --no-auth '$t/f' zs://127.0.0.1:$port" "$t/tty" >/dev/null </dev/null & send=$!; started+=($send)
stop_in_the_middle "$recv"
bar() { LC_ALL=C grep -aqE '[0-9]+% [0-9.]+ .?B of 200 MB +[0-9.]+ .?B/s' "$t/tty"; }
until_true bar; kill -CONT "$recv"; wait_for "$send"; wait_for "$recv"
