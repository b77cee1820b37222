# zsend --exec: what a command writes is committed when the command has ended with 0, else nothing is and both
# sides end with 11. It is ended with all that it has started when the transfer ends first.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 9000000; printf old >"$t/old"

# go MODE NAME COMMAND: as it ends, into a directory where NAME is already there.
go() {
  cp "$t/old" "$t/d/$2"
  start_recv $1 "$t/d"
  status_of "$ZSEND" $1 --json="$t/send.json" --name "$2" --exec "$3" "zs://127.0.0.1:$port" 2>"$t/send.err"
}
for mode in "${modes[@]}"; do
  go "$mode" out "cat '$t/f'"; expect_status 0; wait_for "$recv"; expect_status 0
  expect_same "$t/f" "$t/d/out"
  go "$mode" out "head -c 5000000 '$t/f' | cat; tail -c 4000000 '$t/f'"
  expect_status 0
  wait_for "$recv"
  expect_status 0
  expect_same "$t/f" "$t/d/out"
  go "$mode" out :
  expect_status 0
  wait_for "$recv"
  expect_status 0
  [ ! -s "$t/d/out" ] || fail "something of nothing"

  # failed WORDS COMMAND: both say why, in one line, and the old content stays.
  failed() {
    go "$mode" out "$2"; expect_status 11 "zsend ($2)"; wait_for "$recv"; expect_status 11 "zrecv ($2)"
    expect_in "$t/send.err" "$1"; expect_in "$t/recv.err" "$1"; expect_in "$t/recv.err" "peer: "
    [ "$(grep -c 'error: ' "$t/send.err")$(grep -c 'error: ' "$t/recv.err")" = 11 ] || fail "not one line each ($2)"
    expect_same "$t/old" "$t/d/out"; expect_only "$t/d" out
    expect_in "$t/send.json" '"status":"command-failed"'
  }
  failed "ended with status 3" "cat '$t/f'; exit 3"
  failed "ended with status 3" "exit 3"
  failed "ended with status 3" "cat '$t/f'; sleep 1000 & exit 3"  # the output is still open
  failed "ended with status 127" "/no/such/program"
  failed "was killed by signal 9 (SIGKILL)" "cat '$t/f'; kill -9 \$\$"
  failed "ended with status 4" "cat '$t/f'; exec >&-; sleep 1; exit 4"
  rm "$t/d/out"
done

# A secret of the session is not the command's.
start_recv "$t/d"; key=$ZXFER_KEY
status_of "$ZSEND" --name env --exec 'env; cat /proc/$$/environ /proc/$$/cmdline' "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0
wait_for "$recv"; expect_status 0; [ -s "$t/d/env" ] || fail "no environment"
! grep -aqF "$key" "$t/d/env" || fail "the command has the key"; rm "$t/d/env"

# Killed by its number in the middle; and the transfer ends in the middle, by a peer that dies or a signal here.
# The command is a pipeline whose members never end by themselves.
endless="echo \$\$ >'$t/pid'; cat '$t/f'; (echo \$\$ ; sleep 1000) | cat; sleep 1000"
arrived() { local f; for f in "$t/d"/.zrecv-*; do [ -e "$f" ] && [ "$(stat -c %s "$f")" -ge 9000000 ] && return; done; return 1; }
# Of a process group; a zombie is none.
members() { cat /proc/[0-9]*/stat 2>/dev/null | awk -v g="$1" '$5 == g && $3 != "Z"' | wc -l; }
none_left() { [ "$(members "$1")" = 0 ]; }
more="command:TERM:11 recv:INT:5 send:TERM:143"; [ -z "${ZX_GUEST:-}" ] || more=  # each takes seconds there
for mode in "${modes[@]}"; do
  for how in command:KILL:11 recv:KILL:5 send:INT:130 $more; do
    IFS=: read -r victim signal expected <<<"$how"
    rm -f "$t/pid"; start_recv $mode "$t/d"
    "$ZSEND" $mode --timeout=2 --name out --exec "$endless" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=($send)
    until_true arrived; command=$(cat "$t/pid")
    [ "$(members "$command")" -ge 3 ] || fail "the command has no members"
    [ $victim = command ] && kill -$signal "$command" || kill -$signal ${!victim}
    # The members of a command that was killed alone keep its output open: they are not its failure yet.
    [ $victim != command ] || kill -TERM -- "-$command" 2>/dev/null || true
    wait_for "$send"; expect_status "$expected" "zsend ($how)"
    until_true none_left "$command"
    wait_for "$recv"
    case $how in command*) expect_status 11 "zrecv ($how)"; expect_in "$t/recv.err" "was killed by signal" ;; send*) expect_status 5 "zrecv ($how)" ;; esac
    rm -f "$t/d"/.zrecv-*; expect_only "$t/d" ""
  done
done

# One that is refused: nobody has asked for what it would give, so it never began.
rm -f "$t/pid"
start_send --plain --no-auth --name out --exec "echo \$\$ >'$t/pid'"
status_of "$ZRECV" --plain --no-auth "zs://127.0.0.1:$port/other" "$t/d" 2>"$t/recv.err"; expect_status 9
wait_for "$send"; expect_status 9; [ ! -e "$t/pid" ] || fail "the command ran"
start_send --plain --no-auth --name out --exec "printf fetched"
status_of "$ZRECV" --plain --no-auth "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"; expect_status 0
wait_for "$send"; expect_status 0; [ "$(cat "$t/d/out")" = fetched ] || fail "fetched $(cat "$t/d/out")"
