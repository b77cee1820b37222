# --verify=disk: what arrived is read again past the page cache before it counts. A disk that gives back something
# else (tests/tools/lying_disk.c) is 8 on both sides, and nothing has its name.
TMPDIR=/var/tmp  # a disk, where this machine has one
. "$(dirname "$0")/lib.sh"
[ "$(stat -f -c %T "$t")" != tmpfs ] || skip "/var/tmp is in memory: no disk to read from"
cc -shared -fPIC -O2 -o "$t/lying.so" "$ZX_SOURCE_DIR/tests/tools/lying_disk.c" -ldl || fail "compile"
preload=$t/lying.so
case ${ZX_SANITIZE:-} in *address*) preload="$(cc -print-file-name=libasan.so) $preload" ;; *thread*) preload="$(cc -print-file-name=libtsan.so) $preload" ;; esac
send() { status_of "$ZSEND" -q "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"; }
expect_both() { expect_status "$1" "zsend, $2"; wait_for "$recv"; expect_status "$1" "zrecv, $2"; }
receive() { LD_PRELOAD=$preload start_recv $mode "$@" "$disk"; }
disk=$t/disk
anew() { rm -rf "$disk"; mkdir "$disk"; }
random_file "$t/big" 40000001; random_file "$t/small" 5000; printf x >"$t/one"; : >"$t/empty"
truncate -s 9000000 "$t/holes"; dd if="$t/small" of="$t/holes" bs=4096 seek=1000 conv=notrunc status=none
mode="--plain --no-auth"
export LYING_DISK_LOG=$t/reads
# Whoever asks for it, and however it is written.
for way in "--verify=disk:" ":--verify=disk" "--verify=disk --engine=direct:" "--verify=disk --durability=none:" \
    "--verify=disk --durability=file:" "--verify=disk --streams=4 --block-size=1M:--streams=4 --block-size=1M"; do
  anew
  receive ${way%%:*}
  send "$t/big" "$t/small" "$t/one" "$t/empty" "$t/holes" $mode ${way#*:}; expect_both 0 "$way"
  for file in big small one empty holes; do expect_same "$t/$file" "$disk/$file"; done
  [ "$(cat "$t/reads")" -ge 40 ] || fail "$way: only $(cat "$t/reads") reads from the disk"
done
receive; send "$t/one" $mode; expect_both 0 "wire"
[ "$(cat "$t/reads")" = 0 ] || fail "read from the disk without being asked"

# In a block, in the last page, between holes.
export LYING_DISK_AT
for case in big:0 big:40000000 small:4999 holes:4100000; do
  file=${case%:*}; LYING_DISK_AT=${case#*:}
  anew; printf old >"$disk/$file"
  receive --verify=disk
  send "$t/$file" $mode; expect_both 8 "$case"
  expect_in "$t/recv.err" "$file': the disk holds something else than was written into the page cache"
  [ "$(cat "$disk/$file")" = old ] || fail "$case: not the old file"
  [ "$(ls -A "$disk")" = "$file" ] || fail "$case: left behind: $(ls -A "$disk")"
done
# The others are committed.
anew; LYING_DISK_AT=6000
receive --verify=disk
send "$t/small" "$t/big" "$t/one" $mode; expect_both 23 "one of three"
[ "$(ls -A "$disk")" = "one
small" ] || fail "which of three: $(ls -A "$disk")"
unset LYING_DISK_AT
# In place there is no old file to be kept, and that is said.
random_file "$t/place" 40000001
LYING_DISK_AT=5; export LYING_DISK_AT; disk=$t/place
receive --inplace --verify=disk
send "$t/big" $mode; expect_both 8 "in place"
unset LYING_DISK_AT

# In memory there is no disk: said once, and no failure.
memory=$(mktemp -d /dev/shm/zx-e2e.XXXXXX)
start_recv $mode --verify=disk "$memory"; send "$t/one" "$t/small" $mode; expect_both 0 "in memory"; rm -r "$memory"
[ "$(grep -c "warning: .*not read again from the disk" "$t/recv.err")" = 1 ] || fail "not said once: $(cat "$t/recv.err")"
expect_in "$t/recv.json" '"caveats":["not-read-from-disk"]'
# A pipe cannot give it.
status_of "$ZRECV" $mode --verify=disk --listen 127.0.0.1:0 --exec cat; expect_status 2 "--exec"
start_recv $mode --exec cat; send "$t/one" $mode --verify=disk; expect_both 9 "the sender insists"
expect_in "$t/send.err" "insists on --verify=disk"
