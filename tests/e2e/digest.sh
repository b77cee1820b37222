# --digest prints lines that xxhsum -c accepts, on both sides, and they are right.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/a b" 9000001; random_file "$t/c" 0
cd "$t"
for mode in "${modes[@]}"; do
  start_recv -q $mode --digest="$t/recv.xxh" d
  status_of "$ZSEND" -q $mode --digest "a b" c "zs://127.0.0.1:$port" >"$t/send.xxh"; expect_status 0
  wait_for "$recv"; expect_status 0
  [ "$(wc -l <"$t/send.xxh")" = 2 ] && [ "$(wc -l <"$t/recv.xxh")" = 2 ] || fail "not two lines each"
  xxhsum -c "$t/send.xxh" >"$t/check.out" || fail "xxhsum -c of the sender's lines"
  xxhsum -c "$t/recv.xxh" >"$t/check.out" || fail "xxhsum -c of the receiver's lines"
done
