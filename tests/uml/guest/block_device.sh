# Block devices (loop): by name as a source, with every engine, and with --inplace as a destination. Their size
# counts, not what stat(2) says of the node. In the guest, because not every host has loop devices to give.
. "$ZX_SOURCE_DIR/tests/e2e/lib.sh"
modprobe loop 2>/dev/null || true
devices=()
detach() { local status=$?; umount "$t/m" 2>/dev/null || true; for d in "${devices[@]}"; do losetup -d "$d" || true; done; set +e; (exit $status); cleanup; }
trap detach EXIT
# attach NAME FILE: a loop device on it, as $NAME.
attach() { local d; d=$(losetup -f --show "$2") || fail "no loop device"; devices+=("$d"); eval "$1=$d"; }
bytes=3000320 # whole sectors, but not whole pages: ends inside one
random_file "$t/from" $bytes; attach from "$t/from"
random_file "$t/to" $((bytes + 5000192)); attach to "$t/to"
random_file "$t/small" $((bytes - 512)); attach small "$t/small"
mkdir "$t/d"; ln -s "$from" "$t/link"
size=$(stat -c %s "$from"); [ "$size" = 0 ] || fail "stat(2) says $size of a block device"
# go STATUS ZSEND_WORDS -- ZRECV_WORDS: both sides end with STATUS.
go() {
  local status_wanted=$1 words=(); shift
  while [ "$1" != -- ]; do words+=("$1"); shift; done; shift
  start_recv --block-size=1M "$@"
  status_of "$ZSEND" --json="$t/send.json" "${words[@]}" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status "$status_wanted" "zsend ${words[*]}"
  wait_for "$recv"; expect_status "$status_wanted" "zrecv $*"
}
for engine in sendfile splice mmap readwrite direct; do
  for mode in --plain ""; do
    case $mode$engine in sendfile | splice) continue ;; esac # without kernel TLS these are readwrite
    go 0 $mode --engine=$engine "$from" -- $mode "$t/d"; expect_same "$t/from" "$t/d/${from##*/}"
    grep -q "\"tx\":\"$engine\"" "$t/send.json" || fail "not by $engine: $(tail -1 "$t/send.json")"
    rm "$t/d/${from##*/}"
  done
done
go 0 "$t/link" -- "$t/d"; expect_same "$t/from" "$t/d/link"
[ "$(stat -c %s "$t/d/link")" = $bytes ] && [ -f "$t/d/link" ] || fail "not a regular file of the device's size"
# The node's own time is not sent: an image is of now.
touch -d 2001-01-01 "$from"; go 0 -p "$from" -- -p "$t/d"; [ "$(stat -c %Y "$t/d/${from##*/}")" -gt 1500000000 ] || fail "the time of the node"

# In place: what is behind the new content stays; read back past this kernel's cache of the device.
content() { blockdev --flushbufs "$1"; dd if="$1" iflag=direct bs=512 status=none; }
for engine in splice readwrite direct; do
  for source in "$from" "$t/from"; do
    head -c $bytes /dev/zero >"$to"
    go 0 --plain "$source" -- --plain --inplace --engine=$engine "$to"
    content "$to" >"$t/now"; cmp -n $bytes "$t/now" "$t/from" || fail "not the content, by $engine"
    cmp -s <(tail -c +$((bytes + 1)) "$t/now") <(tail -c +$((bytes + 1)) "$t/to") || fail "what is behind it has changed"
    [ "$(field "$t/recv.json" durable)" = true ] && [ "$(field "$t/send.json" durable)" = true ] || fail "not called durable"
    case $engine in splice) ;; *) grep -q "\"rx\":\"$engine\"" "$t/recv.json" || fail "not by $engine" ;; esac
  done
done
[ -b "$to" ] || fail "the device is gone"
# A hole of the source is zeros on the device, whole sectors or not.
truncate -s 2500000 "$t/holes"; printf x | dd of="$t/holes" bs=1 seek=2000001 conv=notrunc status=none
head -c $bytes /dev/urandom >"$to"; go 0 "$t/holes" -- --inplace "$to"; content "$to" | cmp -n 2500000 - "$t/holes" || fail "old content where the hole is"
# Too small: 7, before anything is written. One sector less, and for a sparse file too.
cp "$t/small" "$t/before"
for source in "$from" "$t/from"; do
  go 7 "$source" -- --inplace "$small"; content "$small" | cmp - "$t/before" || fail "written to though too small"
  expect_in "$t/recv.err" "the block device has $((bytes - 512)) bytes, not $bytes"; expect_in "$t/send.err" "the block device has"
  ! grep -q 'partly old' "$t/recv.err" || fail "says that an untouched device is mixed"
done
truncate -s $bytes "$t/holes"; go 7 "$t/holes" -- --inplace "$small"
# Times cannot be compared; without --inplace no device is written; a mounted one is in use.
go 9 "$from" -- --inplace --overwrite=older "$to"; expect_in "$t/recv.err" "compares times"
status_of "$ZRECV" --listen 127.0.0.1:0 "$to" 2>"$t/e.err"; expect_status 6 "a device without --inplace"; expect_in "$t/e.err" "only zrecv --inplace"
mkfs.ext4 -q "$to" 2>/dev/null; mkdir "$t/m"; mount "$to" "$t/m" || fail "no ext4"
status_of "$ZRECV" --inplace --listen 127.0.0.1:0 "$to" 2>"$t/e.err"; expect_status 6 "a mounted device"; expect_in "$t/e.err" "busy"
for bad in /dev/null /dev/tty; do
  status_of timeout 10 "$ZSEND" "$bad" zs://127.0.0.1:1 2>"$t/e.err"; expect_status 6 "$bad"; expect_in "$t/e.err" "$bad"
done
