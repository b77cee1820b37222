# Durability: sync the file, rename, sync the directory, then the verdict; nothing of it with none.
# A sync that fails is tried once and the entry fails.
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip "no strace"
mkdir "$t/d"; random_file "$t/f" 3000000
trace_recv() {  # INJECT OPTIONS...
  local inject=$1; shift
  rm -f "$t/recv.json" "$t"/trace*
  strace -f -o "$t/trace" -e trace=fsync,fdatasync,renameat,renameat2,sendto,unlinkat $inject \
    "$ZRECV" --plain --no-auth --listen 127.0.0.1:0 --json="$t/recv.json" "$@" "$t/d" 2>"$t/recv.err" & recv=$!
    started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  status_of "$ZSEND" --plain --no-auth "$@" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"; sent=$status
  wait_for "$recv"
}
trace_recv "" --durability=batch; expect_status 0
order=$(grep -oE '(fsync|fdatasync|renameat2?|sendto)\(' "$t/trace" | tail -4 | tr -d '\n(')
case $order in fsyncrenameatfsyncsendto | fsyncrenameat2fsyncsendto) ;; *) fail "the order is $order" ;; esac
grep -q '"durable":true' "$t/recv.json" || fail "not called durable"
trace_recv "" --durability=none; expect_status 0
! grep -qE 'fsync|fdatasync' "$t/trace" || fail "none still syncs"
grep -q '"durable":false' "$t/recv.json" || fail "called durable though nothing was synced"
expect_in "$t/trace" 'renameat'
rm "$t/d/f"
trace_recv "-e inject=fsync:error=EIO:when=1"
expect_status 6 "zrecv with a failed sync"
[ "$sent" = 6 ] || fail "zsend ended with $sent"
expect_in "$t/recv.err" "sync to disk: Input/output error"
expect_in "$t/send.err" "sync to disk: Input/output error"
expect_only "$t/d" ""
[ "$(grep -c 'fsync(' "$t/trace")" = 1 ] || fail "a failed sync was repeated"
trace_recv "-e inject=fsync:error=ENOSPC:when=1"
expect_status 7 "zrecv, ENOSPC at the sync"
[ "$sent" = 7 ] || fail "zsend ended with $sent"
trace_recv "-e inject=fsync:error=EIO:when=2"; expect_status 6 "the directory's sync fails"; [ "$sent" = 6 ] || fail "zsend ended with $sent"
trace_recv "-e inject=renameat,renameat2:error=EACCES"; expect_status 6 "the rename fails"; [ "$sent" = 6 ] || fail "zsend ended with $sent"
! ls -A "$t/d" | grep -q '^\.zrecv' || fail "a temporary file stayed"
