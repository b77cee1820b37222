# Progress: none without a terminal, whole lines when forced, a bar with rate and ETA on a terminal.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 50000000
go() {  # OPTIONS...: the receiver is held until the sender has shown progress, where it does
  start_recv -q --plain --no-auth "$t/d"
  status_of "$ZSEND" --plain --no-auth "$@" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0
  wait_for "$recv"; expect_status 0
}
go; [ ! -s "$t/send.err" ] || fail "says something without a terminal"
go -v; 
result='^zsend: 1 file, 50.0 MB in [0-9.]* s ([0-9.]* .B/s), verified, on disk: zs://127.0.0.1:[0-9]*$'
grep -q "$result" "$t/send.err" || fail "another result: $(cat "$t/send.err")"
grep -q '^zsend: path [a-z]* -> [a-z]*, plain text, verified by XXH3-128$' "$t/send.err" || fail "-v does not tell the path"
for quiet in "" -q; do
  go --summary $quiet
  [ "$(wc -l <"$t/send.err")" = 1 ] && grep -q "$result" "$t/send.err" || fail "--summary is not one line of result"
done
go -v -q; [ ! -s "$t/send.err" ] || fail "-q is not quiet"
# When all is there and the disk takes its time, or a command does, both sides say so.
finishes() {  # WORD OPTIONS of zrecv...
  local word=$1; shift
  start_recv --progress=always --plain --no-auth "$@"
  "$ZSEND" --progress=always --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=($send)
  for side in send recv; do
    until_true grep -qE "^z$side: (100% 50\.0 MB of )?50\.0 MB  $word\$" "$t/$side.err"
  done
  touch "$t/told"
  wait_for "$send"
  expect_status 0 zsend
  wait_for "$recv"
  expect_status 0 zrecv
  rm "$t/told"
}
finishes finishing --exec "cat >$t/taken; until [ -e $t/told ]; do read -rt 0.02 <> <(:) || true; done"
if [ -z "${ZX_SANITIZE:-}" ]; then
  cc -shared -fPIC -O2 -o "$t/slow.so" "$ZX_SOURCE_DIR/tests/tools/slow.c" -ldl || fail "compile"
  (export LD_PRELOAD=$t/slow.so SLOW=sync SLOW_UNTIL=$t/told; finishes syncing "$t/d")
fi
# Of a tree how many entries are done, and when all of it has been read, of how many; in JSON too.
mkdir -p "$t/tree/sub"; for i in $(seq 10); do echo "$i" >"$t/tree/$i"; done; ln "$t/f" "$t/tree/sub/f"
if [ -z "${ZX_SANITIZE:-}" ]; then
  export LD_PRELOAD=$t/slow.so SLOW=sync SLOW_UNTIL=$t/told
  start_recv --progress=always --plain --no-auth "$t/d"
  unset LD_PRELOAD
  "$ZSEND" -r --progress=always --plain --no-auth --json="$t/send.json" "$t/tree" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=($send)
  for side in send recv; do
    until_true grep -qE "^z$side: 100% 50\.0 MB of 50\.0 MB  syncing  [0-9]+/13\$" "$t/$side.err"
    until_true grep -q '"event":"progress","bytes":50000021,"total":50000021,"entries":[0-9]*,"entries_total":13,' "$t/$side.json"
  done
  touch "$t/told"; wait_for "$send"; expect_status 0 "a tree"; wait_for "$recv"; expect_status 0 "a tree"
fi
# On a terminal (script(1) makes one), with the receiver stopped until the bar has been drawn.
command -v script >/dev/null || skip "no script(1)"
random_file "$t/f" 200000000
start_recv -q --plain --no-auth "$t/d"; start_proxy hold 20000000
script -qfc "'$ZSEND' --plain --no-auth '$t/f' zs://127.0.0.1:$port" "$t/tty" >/dev/null </dev/null & send=$!
started+=($send)
stop_in_the_middle "$recv"
bar() { LC_ALL=C grep -aqE '[0-9]+% [0-9.]+ .?B of 200 MB +[0-9.]+ .?B/s' "$t/tty"; }
until_true bar; kill -CONT "$recv"; wait_for "$send"; wait_for "$recv"
# No escapes, whatever the terminal is, and nothing that does not fit into it: percent and what is left go last.
narrow() { # TERM COLUMNS WORDS: the progress at that width
  start_recv -q --plain --no-auth "$t/d"; start_proxy hold 20000000
  TERM=$1 script -qfc "stty cols $2; '$ZSEND' --plain --no-auth '$t/f' zs://127.0.0.1:$port" "$t/tty" >/dev/null </dev/null & send=$!
  started+=($send)
  stop_in_the_middle "$recv"
  seen() { sed 1d "$t/tty" | tr '\r' '\n' | grep -aqE -- "$1"; }
  until_true seen "$3"; kill -CONT "$recv"; wait_for "$send"; wait_for "$recv"
  ! sed 1d "$t/tty" | grep -aq "$(printf '\033')" || fail "an escape with TERM=$1"
  ! tr '\r' '\n' <"$t/tty" | grep -av '^zsend: 1 file\|^Script ' | grep -aE "^.{$2}" || fail "does not fit into $2 columns"
}
# Of what nobody knows the end of: for how long it goes.
start_recv -q --plain --no-auth "$t/d"
mkfifo "$t/pipe"
"$ZSEND" --plain --no-auth --progress=always - "zs://127.0.0.1:$port" <"$t/pipe" 2>"$t/send.err" & send=$!
started+=($send)
exec 8>"$t/pipe"; echo data >&8
until_true grep -qE '^zsend: 5 B  [0-9.]+ k?B/s  0:0[1-9]$' "$t/send.err"; exec 8>&-
wait_for "$send"; expect_status 0; wait_for "$recv"
# Of several files also which one it is, and how many there are, where there is room.
several() { # COLUMNS WORDS
  start_recv -q --plain --no-auth "$t/d"; start_proxy hold 20000000
  TERM=xterm script -qfc "stty cols $1; '$ZSEND' --plain --no-auth '$t/one' '$t/f' zs://127.0.0.1:$port" "$t/tty" >/dev/null </dev/null & send=$!
  started+=($send)
  stop_in_the_middle "$recv"
  until_true eval "sed 1d '$t/tty' | tr '\\r' '\\n' | grep -aqE -- '$2'"
  kill -CONT "$recv"
  wait_for "$send"
  wait_for "$recv"
}
echo one >"$t/one"
several 100 '% [0-9.]+ .?B of 200 MB  [0-9.]+ .?B/s  ETA [0-9:]+  [01]/2  f( |$)'
several 40 'ETA [0-9:]+  [01]/2 *$'
# Of a tree nobody knows before its end how much it is: how much has moved, how many entries are done, and which is read.
rm "$t/tree/sub/f"; ln "$t/f" "$t/tree/sub/f"; rm -rf "$t/d/tree"
start_recv -q --plain --no-auth "$t/d"; start_proxy hold 20000000
TERM=xterm script -qfc "stty cols 80; '$ZSEND' -r --plain --no-auth '$t/tree' zs://127.0.0.1:$port" "$t/tty" >/dev/null </dev/null & send=$!
started+=($send)
stop_in_the_middle "$recv"
until_true eval "sed 1d '$t/tty' | tr '\\r' '\\n' | grep -aqE '^[0-9.]+ MB  [0-9.]+ .?B/s  [0-9:]+(  [0-9]+ done)?  f *\$'"
kill -CONT "$recv"; wait_for "$send"; wait_for "$recv"
! sed 1d "$t/tty" | tr '\r' '\n' | grep -a % | grep -avE '^100% 200 MB of 200 MB ' || fail "it knows the end of a tree before it is there"
narrow dumb 80 '[0-9]+% [0-9.]+ .?B of 200 MB'
narrow xterm 31 '^ *[0-9]+% .*ETA [0-9:]+ *$'
narrow xterm 3 '^ *[0-9]+'
