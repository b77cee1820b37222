# A call that fails for ever ends a program, or is waited for as long as anything is, but never takes a CPU past every
# limit: poll and accept4, what a signal interrupts each time, and io_uring.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "a shim of the C library is not for sanitizers"
shim=$t/forever.so
cc -shared -fPIC -O1 -o "$shim" "$ZX_SOURCE_DIR/tests/tools/forever.c" -ldl 2>"$t/cc.err" || fail "cc"
both="-q --plain --no-auth --timeout=2"
random_file "$t/f" 20000000; mkdir "$t/d"
# measured COMMAND...: with $failing, for 8 s at most. judge STATUS... WHAT: it ended with one of these, and has used less
# than 1 s of CPU. Both go by $victim.
measured() {
  TIMEFORMAT='%U %S'
  { time LD_PRELOAD=$shim ZX_FOREVER=$failing timeout -s KILL 8 "$@" 2>"$victim.err"; } 2>"$victim.time"
}
judge() {
  case " ${*:1:$#-1} " in *" $status "*) ;; *) fail "${*: -1}: ended with $status" ;; esac
  awk '{exit !($1 + $2 < 1)}' "$victim.time" || fail "${*: -1}: CPU time (user, system): $(cat "$victim.time")"
}
# A listener, and a sender that comes to it. The port is told by the events: its own output may be what fails.
receiver() {  # CALL:ERRNO:N STATUS...
  failing=$1; shift; victim=$t/recv; rm -f "$t/recv.json"
  measured "$ZRECV" $both --wait 2 --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" &
  local recv=$!; started+=($recv)
  until_true eval "listening '$t/recv.json' || ! kill -0 $recv 2>/dev/null"
  port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' "$t/recv.json")
  [ -z "$port" ] || "$ZSEND" $both --wait 1 "$t/f" "zs://127.0.0.1:$port" 2>/dev/null &
  local send=$!; started+=($send)
  wait_for $recv; judge "$@" "zrecv, $failing"
  kill -9 $send 2>/dev/null || true; wait $send 2>/dev/null || true
}
sender() {  # ENGINE CALL:ERRNO:N STATUS...
  local engine=$1; failing=$2; shift 2; victim=$t/send.$failing
  (
    t=$t/s.$failing; mkdir "$t" "$t/d"
    start_recv $both --wait 3 "$t/d"; trap 'kill -9 $recv 2>/dev/null || true' EXIT
    status=0; measured "$ZSEND" $both --engine=$engine "${t%/*}/f" "zs://127.0.0.1:$port" || status=$?
    judge "$@" "zsend, $failing"; wait_for $recv; [ "$status" != 0 ] || fail "zrecv, $failing: ended with 0"
  ) & cases+=($!)
}
EINTR=4 ENOMEM=12 EMFILE=24 ECONNABORTED=103
cases=()
sender readwrite pread:$EINTR:3 6
sender readwrite recv:$EINTR:3 5
sender readwrite poll:$EINTR:5 1
sender readwrite poll:$ENOMEM:5 1
sender direct uring_wait:$EINTR:4 6
sender direct uring_submit:$EINTR:4 6
# How a command has ended cannot be had: that is no success. And what ssh says cannot be read.
printf '#!/bin/sh\ntouch %q\necho says >&2\nexec sleep 60\n' "$t/called" >"$t/ssh"; chmod +x "$t/ssh"
children() {  # CALL:ERRNO:N STATUS OPTIONS...
  local status wanted=$2; failing=$1; shift 2; victim=$t/send.$failing
  status=0; measured "$ZSEND" -q --timeout=2 "$@" || status=$?
  judge "$wanted" "zsend, $failing"
}
(t=$t/s.exec; mkdir "$t" "$t/d"; start_recv $both --wait 3 "$t/d"; trap 'kill -9 $recv 2>/dev/null || true' EXIT
  children waitid:$EINTR:0 11 --plain --no-auth --exec 'echo data' "zs://127.0.0.1:$port/x"; wait_for $recv
  [ "$status" = 11 ] || fail "zrecv with a command that ends in nobody knows what: $status") & cases+=($!)
(children read:$EINTR:1 10 -S "$t/ssh" --via=ssh "$t/f" box:) & cases+=($!)
for pid in "${cases[@]}"; do wait_for "$pid"; [ "$status" = 0 ] || fail "see above"; done
receiver accept4:$ECONNABORTED:0 10
receiver accept4:$EMFILE:0 10
receiver poll:$EINTR:4 1
receiver poll:$ENOMEM:4 1
