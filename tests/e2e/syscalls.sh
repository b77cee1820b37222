# Calls per GB, and per small file of a tree, in plain mode: what makes it zero-copy shows here, whatever the
# machine's speed. Sender: at most 200 that move data and 5,000 in all; receiver: 8,000 in all, through the page
# cache and past it. Of each file of 4 KiB in a new directory: sender 6, receiver 9. One side is traced at a time:
# with a sender slowed down by tracing the receiver would find less at each call than it does in earnest.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "sanitizers make calls of their own"
command -v strace >/dev/null || skip "no strace"
mkdir "$t/d"; random_file "$t/f" 500000000
files=5000
python3 -c 'import os, sys
for i in range(int(sys.argv[2])):
  folder = f"{sys.argv[1]}/{i // 100}"
  os.makedirs(folder, exist_ok=True)
  with open(f"{folder}/{i}", "wb") as f: f.write(os.urandom(4096))' "$t/tree" $files
options="--plain --no-auth --durability=none"
run() {  # SIDE ENGINE SOURCE: traced, its counts in $t/SIDE.calls; --engine of zrecv
  local trace_send= trace_recv=
  eval "trace_$1='strace -f -c -o $t/$1.calls'"
  : >"$t/recv.err"
  $trace_recv "$ZRECV" $options -r --engine=$2 --listen 127.0.0.1:0 "$t/d" 2>"$t/recv.err" & recv=$!
  started+=($recv)
  until_true grep -q 'listening on port' "$t/recv.err"  # --json would have a line for each file
  port=$(sed -n 's/.*listening on port \([0-9]*\).*/\1/p' "$t/recv.err")
  $trace_send "$ZSEND" -q $options -r "$3" "zs://127.0.0.1:$port"
  wait "$recv"; diff -r "$3" "$t/d/${3##*/}" || fail "what arrived of $3 is another"
}
calls() { awk -v want="$2" '$NF ~ want && $4 ~ /^[0-9]+$/ {n += $4} END {print 2 * n}' "$1"; }  # per GB
run send auto "$t/f"
moving=$(calls "$t/send.calls" '^(sendfile|sendfile64|sendto|sendmsg|splice|write)$')
all_send=$(awk '$NF == "total" {print 2 * $4}' "$t/send.calls")
echo "per GB: sender $moving that move data, $all_send in all"
[ "$(calls "$t/send.calls" '^sendfile')" -gt 0 ] || fail "no sendfile"
[ "$moving" -le 200 ] || fail "the sender moves data with $moving calls a GB"
[ "$all_send" -le 5000 ] || fail "the sender makes $all_send calls a GB"
for row in "splice ^splice" "auto ^(io_uring_enter|pwrite64)"; do
  set -- $row
  run recv $1 "$t/f"
  all_recv=$(awk '$NF == "total" {print 2 * $4}' "$t/recv.calls")
  [ "$(calls "$t/recv.calls" "$2")" -gt 0 ] || fail "zrecv --engine=$1: no $2"
  echo "per GB: receiver, --engine=$1, $all_recv in all"
  [ "$all_recv" -le 8000 ] || fail "the receiver (--engine=$1) makes $all_recv calls a GB"
done
all() { awk -v files=$files '$NF == "total" {printf "%.2f", $4 / files}' "$1"; }
rm -rf "$t/d/tree"; run send auto "$t/tree"; all_send=$(all "$t/send.calls")
rm -rf "$t/d/tree"; run recv auto "$t/tree"; all_recv=$(all "$t/recv.calls")
echo "per small file: sender $all_send, receiver $all_recv"
[ "${all_send%.*}" -lt 6 ] && [ "${all_recv%.*}" -lt 9 ] || fail "too many calls for each small file"
