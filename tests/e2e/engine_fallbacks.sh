# Where a kernel, a container or a file system forbids what an engine is made of, the file arrives all the
# same, and the report says how and why.
. "$(dirname "$0")/lib.sh"
forbid="python3 $ZX_SOURCE_DIR/tests/tools/forbid.py"
status_of $forbid io_uring -- true; [ "$status" != 77 ] || skip "no seccomp"
mkdir "$t/d"; random_file "$t/f" 20000001
# go RULE TX RX SEND-ENGINE RECV-ENGINE WORDS [OPTIONS...]: with RULE for both sides.
go() {
  local rule=$1 tx=$2 rx=$3 send=$4 receive=$5 words=$6; shift 6
  rm -f "$t/recv.json" "$t/d/f"; unset ZXFER_KEY
  $forbid $rule -- "$ZRECV" -q "$@" --engine=$rx --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!
  started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  ZXFER_KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$t/recv.json"); export ZXFER_KEY
  status_of $forbid $rule -- "$ZSEND" -q "$@" --engine=$tx --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "zsend without $rule"; wait_for "$recv"; expect_status 0 "zrecv without $rule"
  expect_same "$t/f" "$t/d/f"
  grep -q "\"tx\":\"$send\",\"rx\":\"$receive\"" "$t/send.json" || fail "without $rule: $(tail -1 "$t/send.json")"
  expect_in "$t/send.json" "$words"
}
for mode in "--plain --no-auth" ""; do
  go io_uring direct direct direct direct "with threads, because io_uring is not possible here: Operation not permitted" $mode
  go io_uring_enter direct direct direct direct "with threads, because io_uring" $mode
  go O_DIRECT direct direct readwrite readwrite "direct was asked for, but O_DIRECT is refused here: Invalid argument" $mode
  go cachestat direct auto direct "[a-z]*" "asked for" $mode
done
# Without a descriptor the mapping is copied by process_vm_readv(2), or not used.
go process_vm_readv mmap readwrite readwrite readwrite "copying from a mapping is refused" --ktls=off
go process_vm_readv mmap readwrite mmap readwrite "asked for" --plain --no-auth
# Too little memory may be locked (RLIMIT_MEMLOCK): the same without registered buffers.
command -v strace >/dev/null || exit 0
start_recv -q --plain --no-auth "$t/d"
status_of strace -f -o "$t/trace" -e trace=io_uring_register -e inject=io_uring_register:error=ENOMEM \
  "$ZSEND" -q --plain --no-auth --engine=direct --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 0 "zsend without registered buffers"; wait_for "$recv"; expect_same "$t/f" "$t/d/f"
expect_in "$t/trace" INJECTED; expect_in "$t/send.json" '"tx":"direct"'
! grep -q threads "$t/send.json" || fail "threads instead of unregistered buffers"
