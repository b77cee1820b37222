# Landlock, the second net: even a receiver that tries to write elsewhere cannot, once entries come; where the kernel
# does not have it, or a version that forbids hard links, nothing else is different.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "preloading and sanitizers do not go together"
abi=$(python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))')
[ "$abi" -ge 2 ] || { echo "no Landlock here, or its first version ($abi): left out"; exit 0; }
cc -shared -fPIC -O1 -o "$t/strayer.so" "$ZX_SOURCE_DIR/tests/tools/strayer.c" -ldl || fail "no strayer.so"
mkdir -p "$t/s/sub" "$t/out"; for f in f sub/g; do random_file "$t/s/$f" 100000; done; ln "$t/s/f" "$t/s/sub/hard"
random_file "$t/large" 20000000
fresh() { rm -rf "$t/d" "$t/strayed"; mkdir "$t/d"; unset ZXFER_KEY; : >"$t/strayed"; rm -f "$t/out"/*; echo keep >"$t/out/old"; }
# kept: it has tried in both threads that write, with EACCES each time, and nothing came of it.
kept() {
  for operation in "$@"; do grep -q "^$operation 13$" "$t/strayed" || fail "$what: no attempt by $operation: $(cat "$t/strayed")"; done
  ! grep -v ' 13$' "$t/strayed" || fail "$what: something else than EACCES"
  expect_only "$t/out" old; [ "$(cat "$t/out/old")" = keep ] || fail "$what: written outside"
}
strays() { LD_PRELOAD=$t/strayer.so STRAY=$t/out STRAYED=$t/strayed "$@"; }

# Without it the tool does what it says: a program that writes a file, and has no net.
what="the tool"; fresh; strays python3 -c 'import os, sys; os.close(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY, dir_fd=os.open("/", 0)))' "$t/d/x"
grep -qx "openat 0" "$t/strayed" || fail "the tool does not try: $(cat "$t/strayed")"
[ ! -e "$t/out/old" ] || fail "the tool removes nothing"

for options in -r -a "-a --durability=file"; do
  what="push $options"; fresh
  strays start_recv -vv $options "$t/d"
  status_of "$ZSEND" -q $options "$t/s" "$t/large" "zs://127.0.0.1:$port"
  expect_status 0 "$what"; wait_for "$recv"; expect_status 0 "$what"
  diff -r "$t/s" "$t/d/s" || fail "$what: another tree"; expect_same "$t/large" "$t/d/large"
  kept openat renameat2
  expect_in "$t/recv.err" "writing is confined by Landlock"
done
what="several streams"; fresh
strays start_recv -r "$t/d"
status_of "$ZSEND" -q -r --streams=3 --block-size=1M "$t/s" "$t/large" "zs://127.0.0.1:$port"
expect_status 0 "$what"; wait_for "$recv"; expect_status 0 "$what"; expect_same "$t/large" "$t/d/large"; kept openat renameat2
! grep -q Landlock "$t/recv.err" || fail "it is talked about without -vv"
what="a pull"; fresh; start_send -a "$t/s"
status_of strays "$ZRECV" -q -a "zs://127.0.0.1:$port" "$t/d"; expect_status 0 "$what"; wait_for "$send"; expect_status 0 "$what"
[ "$t/d/s/f" -ef "$t/d/s/sub/hard" ] || fail "$what: no hard link"; kept openat renameat2
what="below a directory that a sender names"; fresh; mkdir "$t/d/in"
strays start_recv "$t/d"
status_of "$ZSEND" -q "$t/s/f" "zs://127.0.0.1:$port/in/"; expect_status 0 "$what"; wait_for "$recv"; expect_status 0 "$what"; kept openat renameat2
what="in place, past the page cache"; fresh; head -c 1000 /dev/zero >"$t/d/x"
start_recv -vv --inplace --engine=direct "$t/d/x"
status_of "$ZSEND" -q "$t/large" "zs://127.0.0.1:$port"; expect_status 0 "$what"; wait_for "$recv"; expect_status 0 "$what"
expect_same "$t/large" "$t/d/x"; expect_in "$t/recv.err" "writing is confined by Landlock"

# What else it writes is open before: JSON and digests elsewhere, standard output, a command, which may write where it likes.
what="JSON and digests"; fresh
start_recv --digest="$t/out/digests" "$t/d"
status_of "$ZSEND" -q "$t/large" "zs://127.0.0.1:$port"; expect_status 0 "$what"; wait_for "$recv"; expect_status 0 "$what"
grep -q " $t/d/large$" "$t/out/digests" || fail "$what"
grep -q '"event":"summary"' "$t/recv.json" || fail "$what"
what="a command"; fresh
start_recv -vv --exec "cat >$t/out/taken"
status_of "$ZSEND" -q "$t/large" "zs://127.0.0.1:$port"; expect_status 0 "$what"; wait_for "$recv"; expect_status 0 "$what"
expect_same "$t/large" "$t/out/taken"; ! grep -q Landlock "$t/recv.err" || fail "$what is confined"

# Where the kernel has none.
if command -v strace >/dev/null; then
  what="a kernel without it"; fresh
  cat >"$t/without" <<S
#!/bin/sh
exec strace -f -qq -o "$t/trace" -e trace=landlock_create_ruleset -e inject=landlock_create_ruleset:error=ENOSYS "$ZRECV" "\$@"
S
  chmod +x "$t/without"
  start_listener recv "$t/without" -vv -a "$t/d"
  status_of "$ZSEND" -q -a "$t/s" "zs://127.0.0.1:$port"; expect_status 0 "$what"; wait_for "$recv"; expect_status 0 "$what"
  grep -q INJECTED "$t/trace" || fail "the fault did not fire"
  expect_in "$t/recv.err" "writing is not confined by Landlock: the kernel has no Landlock"
  diff -r "$t/s" "$t/d/s" || fail "$what: another tree"
fi
