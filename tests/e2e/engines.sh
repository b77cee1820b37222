# Every engine of zsend with every engine of zrecv, in the clear and by TLS: the same bytes, the same
# digest, and the report names the engine that was asked for, or the buffer and why.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; block=1M
one() {  # SEND-ENGINE RECV-ENGINE OPTIONS...
  local tx=$1 rx=$2; shift 2
  rm -f "$t/d/f"
  start_recv -q "$@" --engine="$rx" --block-size=$block "$t/d"
  status_of "$ZSEND" -q "$@" --engine="$tx" --block-size=$block --digest="$t/xxh" --json="$t/send.json" \
    "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "zsend $tx -> $rx $*"; wait_for "$recv"; expect_status 0 "zrecv $tx -> $rx $*"
  expect_same "$t/f" "$t/d/f"
  [ "$(cut -d' ' -f1 "$t/xxh")" = "$sum" ] || fail "another digest: $tx -> $rx $*"
  # Without a descriptor for plain bytes there is no sendfile and no splice.
  if [ "$(field "$t/send.json" tls)" = user ]; then
    case $tx in sendfile | splice) tx=readwrite; expect_in "$t/send.json" "was asked for, but" ;; esac
  fi
  [ "$(field "$t/recv.json" tls)" != user ] || [ $rx != splice ] || rx=readwrite
  for json in "$t/send.json" "$t/recv.json"; do
    grep -q "\"event\":\"summary\".*\"tx\":\"$tx\",\"rx\":\"$rx\"" "$json" ||
      fail "not $tx -> $rx $*: $(tail -1 "$json")"
  done
}
# Kernel TLS where there is some: it has a descriptor.
printf x >"$t/f"; sum=$(xxhsum -H2 "$t/f" | cut -d' ' -f1); one direct direct
in_kernel=yes; [ "$(field "$t/send.json" tls)" = ktls ] || in_kernel=no
for size in 1 $((3 * 1048576 + 4097)); do
  random_file "$t/f" "$size"; sum=$(xxhsum -H2 "$t/f" | cut -d' ' -f1)
  for tx in sendfile splice mmap readwrite direct; do
    for rx in splice readwrite direct; do
      one $tx $rx --plain --no-auth
      one $tx $rx --ktls=off
      [ "$in_kernel" = no ] || one $tx $rx
    done
  done
done
# The edges of pages, of pieces and of blocks.
for size in 0 4095 4096 4097 524289 1048575 1048576 1048577; do
  random_file "$t/f" "$size"; sum=$(xxhsum -H2 "$t/f" | cut -d' ' -f1)
  one direct direct --plain --no-auth
  one mmap direct
  one splice readwrite --plain --no-auth --buffer-size=4K
done
# A block that is no whole number of pages, so that blocks begin inside of one.
random_file "$t/f" 5000000; sum=$(xxhsum -H2 "$t/f" | cut -d' ' -f1)
block=1048577; one direct direct --plain --no-auth; block=1M
# Holes: what is between them begins anywhere.
truncate -s 9000000 "$t/f"; printf x | dd of="$t/f" bs=1 seek=7654321 conv=notrunc status=none
sum=$(xxhsum -H2 "$t/f" | cut -d' ' -f1)
one direct direct --plain --no-auth
one mmap readwrite
# A file system in memory.
rm -rf "$t/d"; memory=$(mktemp -d /dev/shm/zx-e2e.XXXXXX); ln -s "$memory" "$t/d"
trap 'rm -rf "$memory"; cleanup' EXIT
random_file "$memory/g" 3000001; rm "$t/f"; ln -s "$memory/g" "$t/f"; sum=$(xxhsum -H2 "$t/f" | cut -d' ' -f1)
for tx in sendfile splice mmap readwrite direct; do
  start_recv -q --plain --no-auth --engine=direct "$t/d"
  status_of "$ZSEND" -q --plain --no-auth --engine=$tx "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "zsend $tx in memory"; wait_for "$recv"; expect_status 0 "zrecv in memory"
  expect_same "$t/f" "$t/d/f"; rm "$t/d/f"
done
