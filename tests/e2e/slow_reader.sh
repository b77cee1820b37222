# A reader of standard output that takes nothing for a while: memory is bounded, the sender waits, nobody takes the
# other for dead, and signals and a killed peer end it as always.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_stream.sh"
random_file "$t/f" 200000000
mkfifo "$t/go"
most=5
spool_kib() {  # what zrecv's spool occupies
  local fd kib=0
  for fd in /proc/"$pid"/fd/*; do
    case $(readlink "$fd" 2>/dev/null) in */memfd:*) kib=$(($(stat -Lc %b "$fd" 2>/dev/null || echo 0) / 2)) ;; esac
  done
  echo "$kib"
}
spool_is_full() { [ "$(spool_kib)" -ge $((56 << 10)) ]; }
# The reader waits for a line of the fifo; both ends are there and the spool is full.
begin() {  # OPTIONS of zsend
  recv_pipe "read -r line <'$t/go'; cat >'$t/got'" -q $mode --timeout=1 -
  "$ZSEND" -q $mode --timeout=1 "$@" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
  until_true spool_is_full
}
for mode in "${modes[@]}"; do
 for streams in 1 4; do
  begin --streams=$streams
  # The limit holds, and both wait for more than two of their time-outs.
  before=$SECONDS
  while [ $((SECONDS - before)) -lt 4 ]; do
    kib=$(spool_kib); [ "$kib" -le $((75 << 10)) ] || fail "the spool has $kib KiB"
    read -rt 0.02 <> <(:) || true
  done
  echo "spool $mode, $streams streams: $kib KiB"
  echo go >"$t/go"; wait_for "$recv"; expect_status 0 "zrecv $mode"; wait_for "$send"; expect_status 0 "zsend $mode"
  expect_same "$t/f" "$t/got"
 done

  begin; kill -INT "$pid"; until_true ended "$pid"; quickly wait_for "$send"; expect_status 5 "zsend of an interrupted zrecv"
  echo go >"$t/go"; wait_for "$recv"; expect_status 130 "zrecv, interrupted"

  begin; kill -9 "$send"; quickly until_true ended "$pid"; wait "$send" 2>/dev/null || true
  echo go >"$t/go"; wait_for "$recv"; expect_status 5 "zrecv of a killed zsend"

  begin; kill -TERM "$send"; quickly wait_for "$send"; expect_status 143 "zsend, ended"
  quickly until_true ended "$pid"; echo go >"$t/go"; wait_for "$recv"; expect_status 5 "zrecv of an ended zsend"
done
