# A large cold file leaves no trace in the page cache, on either side: at most 2 % of it. A hot one is sent from
# there. What each engine is chosen for shows in the report.
. "$(dirname "$0")/lib.sh"
command -v fincore >/dev/null || skip "no fincore"
mkdir "$t/d"
case $(stat -f -c %T "$t") in tmpfs | ramfs) skip "the scratch folder is in memory" ;; esac
size=$((128 * 1048576 + 4097)); random_file "$t/f" $size; printf small >"$t/s"
percent() { echo $(($(fincore -nb -o RES "$1") * 100 / size)); }
# Out of the cache: what is dirty cannot be dropped, so sync first.
cool() { dd if="$1" of="$1" conv=notrunc,fdatasync count=0 oflag=nocache status=none; }
cool "$t/f"; sync "$t/f"; cool "$t/f"
[ "$(percent "$t/f")" -le 2 ] || skip "this file system keeps files in the cache ($(percent "$t/f") %)"
python3 -c 'import os,sys; fd=os.open(sys.argv[1],os.O_RDONLY|os.O_DIRECT)' "$t/f" || skip "no O_DIRECT here"
go() {  # TX RX WANT-TX WANT-RX OPTIONS...
  local tx=$1 rx=$2 want_tx=$3 want_rx=$4; shift 4
  rm -f "$t"/d/*
  start_recv -q "$@" --engine=$rx "$t/d"
  status_of "$ZSEND" -q "$@" --engine=$tx --json="$t/send.json" "$t/s" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "zsend $tx"; wait_for "$recv"; expect_status 0 "zrecv $rx"
  grep -q "\"tx\":\"$want_tx\",\"rx\":\"$want_rx\"" "$t/send.json" || fail "not $want_tx -> $want_rx: $(tail -1 "$t/send.json")"
  source_left=$(percent "$t/f") target_left=$(percent "$t/d/f")
  echo "$tx -> $rx $*: $source_left % of the source, $target_left % of the target in the cache"
}
clean() {  # [PERCENT]
  [ "$source_left" -le "${1:-2}" ] && [ "$target_left" -le "${1:-2}" ] || fail "$source_left % and $target_left % are left in the cache"
}
equal() { expect_same "$t/f" "$t/d/f"; cool "$t/f"; }

go auto auto direct,readwrite splice,direct --plain --no-auth; clean; equal
expect_in "$t/send.json" "direct: a large file that is not in the page cache"
expect_in "$t/send.json" "direct: a large file that is synced to the disk"
go auto auto direct,readwrite readwrite,direct --ktls=off; clean; equal
go direct direct direct direct --plain --no-auth; clean; equal
# Hot: from the cache, where it stays.
cat "$t/f" >/dev/null
go auto direct sendfile,readwrite direct --plain --no-auth
[ "$source_left" -ge 80 ] || fail "a hot file was pushed out"; equal
# Through a buffer, with RWF_DONTCACHE where the kernel has it (6.14) and the file system too. The kernel leaves a
# page that somebody holds at that moment: 3 % were seen.
cat >"$t/probe.py" <<'P'
import ctypes, os, sys
class Vec(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
fd = os.open(sys.argv[1], os.O_RDONLY); buffer = ctypes.create_string_buffer(4096)
vec = Vec(ctypes.cast(buffer, ctypes.c_void_p), 4096)
n = ctypes.CDLL(None).preadv2(fd, ctypes.byref(vec), 1, ctypes.c_long(0), 0x80)
sys.exit(0 if n == 4096 else 1)
P
if python3 "$t/probe.py" "$t/f"; then
  go readwrite readwrite readwrite readwrite --plain --no-auth; clean 10; equal
  go readwrite readwrite readwrite readwrite; clean 10; equal
fi
