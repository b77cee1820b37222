# Calls per GB in plain mode: what makes it zero-copy shows here, whatever the machine's speed.
# Sender: at most 200 that move data and 5,000 in all; receiver: 8,000 in all, through the page
# cache and past it. One side is traced at a time: with a sender slowed down by tracing the receiver
# would find less at each call than it does in earnest.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "sanitizers make calls of their own"
command -v strace >/dev/null || skip "no strace"
mkdir "$t/d"; random_file "$t/f" 500000000
options="-q --plain --no-auth --durability=none"
run() {  # SIDE ENGINE: traced, its counts in $t/SIDE.calls; --engine of zrecv
  local trace_send= trace_recv=
  eval "trace_$1='strace -f -c -o $t/$1.calls'"
  rm -f "$t/recv.json"
  $trace_recv "$ZRECV" $options --engine=$2 --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" & recv=$!; started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  $trace_send "$ZSEND" $options "$t/f" "zs://127.0.0.1:$port"
  wait "$recv"; expect_same "$t/f" "$t/d/f"
}
calls() { awk -v want="$2" '$NF ~ want && $4 ~ /^[0-9]+$/ {n += $4} END {print 2 * n}' "$1"; }  # per GB
run send auto
moving=$(calls "$t/send.calls" '^(sendfile|sendfile64|sendto|sendmsg|splice|write)$')
all_send=$(awk '$NF == "total" {print 2 * $4}' "$t/send.calls")
echo "per GB: sender $moving that move data, $all_send in all"
[ "$(calls "$t/send.calls" '^sendfile')" -gt 0 ] || fail "no sendfile"
[ "$moving" -le 200 ] || fail "the sender moves data with $moving calls a GB"
[ "$all_send" -le 5000 ] || fail "the sender makes $all_send calls a GB"
for row in "splice ^splice" "auto ^(io_uring_enter|pwrite64)"; do
  set -- $row
  run recv $1
  all_recv=$(awk '$NF == "total" {print 2 * $4}' "$t/recv.calls")
  [ "$(calls "$t/recv.calls" "$2")" -gt 0 ] || fail "zrecv --engine=$1: no $2"
  echo "per GB: receiver, --engine=$1, $all_recv in all"
  [ "$all_recv" -le 8000 ] || fail "the receiver (--engine=$1) makes $all_recv calls a GB"
done
