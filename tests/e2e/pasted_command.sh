# The command that a listener prints works as it stands, with the options in force at the listener. Without a host in
# --listen it says HOST, and by which names this machine may be reached; a host name alone may mean another one there.
. "$(dirname "$0")/lib.sh"
unset ZXFER_KEY
mkdir "$t/d"; echo content >"$t/f"; cd "$t/d"
pasted() { # NAME AT [OPTIONS...]: starts a listener and runs the command it printed, FILE being $t/f
  local name=$1 at=$2 command; shift 2
  rm -f "$t/d/f" "$t/l.err"
  case $name in zrecv) "$ZRECV" --listen "$at" "$@" "$t/d" 2>"$t/l.err" & ;; *) "$ZSEND" --listen "$at" "$@" "$t/f" 2>"$t/l.err" & ;; esac
  listener=$!; started+=("$listener")
  until_true grep -sq "ZXFER_KEY=zk1_.*zs://" "$t/l.err"
  command=$(grep 'ZXFER_KEY=' "$t/l.err")
  command=${command/ FILE / $t/f }; command=${command/HOST/127.0.0.1}
  command=${command/ zsend / $ZSEND -q }; command=${command/ zrecv / $ZRECV -q }
  status_of eval "$command"; expect_status 0 "$command"
  wait_for "$listener"; expect_status 0 "the listener of $command"; expect_same "$t/f" "$t/d/f"
}
for name in zrecv zsend; do for mode in "${modes[@]}"; do
  pasted $name 127.0.0.1:0 $mode
  ! grep -q HOST "$t/l.err" || fail "HOST though one was given"
  pasted $name 0 $mode
  grep -q " zs://HOST:[0-9]*" "$t/l.err" || fail "not HOST: $(cat "$t/l.err")"
  expect_in "$t/l.err" "(HOST: this machine calls itself $(uname -n); addresses:"
done; done
