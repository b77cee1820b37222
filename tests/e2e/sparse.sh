# A file of more than 4 GiB with holes arrives equal, and its holes stay holes.
. "$(dirname "$0")/lib.sh"
mkdir "$t/out"
mib=5120 at=4500
[ -z "${ZX_GUEST:-}" ] || mib=320 at=250  # there it is about frames of holes between records
truncate -s ${mib}M "$t/f"
printf head | dd of="$t/f" conv=notrunc status=none
random_file "$t/part" 3000001
dd if="$t/part" of="$t/f" bs=1M seek=$at conv=notrunc status=none
for mode in "${modes[@]}"; do
  rm -f "$t/out/f"
  start_recv -q --digest="$t/recv.xxh" $mode "$t/out"
  status_of "$ZSEND" -q $mode "$t/f" "zs://127.0.0.1:$port"
  expect_status 0 zsend
  wait_for "$recv"; expect_status 0 zrecv
  [ "$(stat -c %s "$t/out/f")" = $((mib << 20)) ] || fail "another size"
  [ "$(stat -c %b "$t/out/f")" -lt 40000 ] || fail "the holes were filled"
  tail -c +$((at * 1048576 + 1)) "$t/out/f" | cmp -s - <(tail -c +$((at * 1048576 + 1)) "$t/f") || fail "the tail differs"
  [ "$(head -c 4 "$t/out/f")" = head ] || fail "the head differs"
done
# The digest is over the logical content, zeros included.
[ "$(cut -d' ' -f1 "$t/recv.xxh")" = "$(xxhsum -H2 "$t/f" | cut -d' ' -f1)" ] || fail "the digest differs"
