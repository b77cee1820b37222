# Sourced after lib.sh by scripts about standard output and commands of zrecv.
# recv_pipe CONSUMER [OPTIONS...]: a listening zrecv whose standard output is a pipe to this shell command,
# or, with the consumer "> FILE", that file. Its own process is $pid; $recv ends with its status, after the
# consumer. What the consumer prints is in $t/recv.out.
recv_pipe() {
  local consumer=$1; shift
  rm -f "$t/pid"
  { echo 'echo $BASHPID >'"'$t/pid.new'; mv '$t/pid.new' '$t/pid'"; echo 'exec "$ZRECV" "$@"'; } >"$t/run_zrecv"
  case $consumer in
    ">"*) echo "bash '$t/run_zrecv' \"\$@\" $consumer" ;;
    *) echo "bash '$t/run_zrecv' \"\$@\" | { $consumer; }; exit \${PIPESTATUS[0]}" ;;
  esac >"$t/piped"
  printf '#!/bin/bash\n. "%s" "$@"\n' "$t/piped" >"$t/zrecv_piped"; chmod +x "$t/zrecv_piped"
  export ZRECV
  unset ZXFER_KEY
  start_listener recv "$t/zrecv_piped" "$@"
  pid=$(cat "$t/pid"); started+=("$pid")
}
# send FILE [OPTIONS...]: to $port; sets $sent, and $status of zrecv.
send() {
  local file=$1; shift
  status_of timeout 60 "$ZSEND" --json="$t/send.json" "$@" "$file" "zs://127.0.0.1:$port" 2>"$t/send.err"
  sent=$status; wait_for "$recv"
}
# Both ended with this.
expect_both() { expect_status "$1" "zrecv, $2"; status=$sent; expect_status "$1" "zsend, $2"; }
ended() { ! kill -0 "$1" 2>/dev/null; }
quickly() { local before=$SECONDS; "$@"; [ $((SECONDS - before)) -le "$most" ] || fail "took $((SECONDS - before)) s: $*"; }
# break_off VICTIM PID SIGNAL STATUS: a transfer that $proxy holds is ended at one side: "send" is killed with -9,
# "recv", its process PID, gets SIGNAL and ends with STATUS. The other side then learns of it, if it had not given up
# the silent connection before; it should have a short --timeout.
break_off() {
  if [ "$1" = send ]; then
    kill -9 "$send"; kill -USR1 "$proxy"; wait_for "$recv"; expect_status 5 "zrecv of a killed zsend"
    wait "$send" 2>/dev/null || true
  else
    kill -"$3" "$2"; wait_for "$recv"; expect_status "$4" "zrecv, SIG$3"
    kill -USR1 "$proxy"; wait_for "$send"; [ "$status" = 10 ] || expect_status 5 "zsend of it"
  fi
  kill "$proxy"
}
