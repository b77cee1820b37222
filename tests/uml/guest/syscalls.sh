# Which calls carry the data, and how many calls a GB takes: kernel TLS against TLS in user space. One side
# is traced at a time, as in e2e/syscalls.sh.
. "$ZX_SOURCE_DIR/tests/e2e/lib.sh"
. "$ZX_SOURCE_DIR/tests/e2e/lib_ktls.sh"
[ $kernel_tls = yes ] || fail "no kernel TLS"
command -v strace >/dev/null || skip "no strace"
size=32000000; random_file "$t/f" $size
run() {  # SIDE FORM: its calls are in $t/trace
  local trace_send= trace_recv=
  eval "trace_$1='strace -f -o $t/trace'"
  rm -f "$t/recv.json" "$t/d/f"; unset ZXFER_KEY
  $trace_recv "$ZRECV" -q "--ktls=$2" --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!; started+=("$recv")
  until_true listening "$t/recv.json"
  port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' "$t/recv.json")
  ZXFER_KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$t/recv.json"); export ZXFER_KEY
  status_of $trace_send "$ZSEND" -q "--ktls=$2" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0 zsend
  wait_for "$recv"; expect_status 0 zrecv; expect_same "$t/f" "$t/d/f"
}
calls() { awk -v size=$size '$2 ~ /^[a-z_0-9]+\(/ {n++} END {printf "%d", n * 1e9 / size}' "$t/trace"; }  # per GB
# bytes NAME: the sum of what it returned; a call that another thread interrupted in the trace is in two lines.
bytes() { awk -v name="$1" '($2 ~ "^" name "\\(" || ($2 == "<..." && $3 == name)) && $NF ~ /^[0-9]+$/ {n += $NF} END {print n + 0}' "$t/trace"; }
for form in on off; do
  for side in send recv; do
    run $side $form
    echo "--ktls=$form $side: $(calls) calls a GB; sendfile $(bytes sendfile) bytes, splice $(bytes splice)," \
      "pread64 $(bytes pread64), pwrite64 $(bytes pwrite64) of $size"
    case $form.$side in
      on.send) [ "$(bytes sendfile)" -ge $size ] || fail "sendfile did not carry the data" ;;
      # All but what came with the header of the first block.
      on.recv) [ "$(bytes splice)" -ge $((2 * (size - 65536))) ] || fail "splice did not carry the data in and out"
        [ "$(bytes pwrite64)" -le 65536 ] || fail "data were written from a buffer too" ;;
      off.send) [ "$(bytes sendfile)" = 0 ] || fail "sendfile without kernel TLS" ;;
      off.recv) [ "$(bytes splice)" = 0 ] || fail "splice without kernel TLS" ;;
    esac
  done
done
