# Every size round the edges of a block arrives equal, in both modes and through both kinds of engine.
. "$(dirname "$0")/lib.sh"
mkdir "$t/out"
one() {  # SIZE OPTIONS...
  local size=$1; shift
  random_file "$t/f" "$size"
  rm -rf "$t/out/f"
  start_recv -q --block-size=1M "$@" "$t/out"
  status_of "$ZSEND" -q --block-size=1M "$@" "$t/f" "zs://127.0.0.1:$port"
  expect_status 0 "zsend $size $*"
  wait_for "$recv"; expect_status 0 "zrecv $size $*"
  expect_same "$t/f" "$t/out/f"
  expect_only "$t/out" f
  [ "$(field "$t/recv.json" bytes)" = "$size" ] || fail "the summary has other bytes than $size"
}
block=1048576
for size in 0 1 $((block - 1)) $block $((block + 1)) $((5 * block + 4097)); do
  for mode in "${modes[@]}"; do one "$size" $mode; done
done
one $((3 * block + 1)) --plain --engine=readwrite
one $((3 * block + 1)) --plain --durability=none
one $((3 * block + 1)) --durability=file
