# A destination where each new name takes its time, and a sender who is always ahead: for seconds there is something to
# read, and nothing to wait for. The sender hears all the same that the receiver lives, and what it has committed.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "preloading and sanitizers do not go together"
cc -shared -fPIC -O2 -o "$t/slow.so" "$ZX_SOURCE_DIR/tests/tools/slow.c" -ldl || fail "compile"
mkdir -p "$t/s/many" "$t/d"; (cd "$t/s/many" && seq 2000 | xargs mkdir)
# A connection is lost after a quarter of --timeout without a word.
LD_PRELOAD=$t/slow.so SLOW=make start_recv -q -r --plain --no-auth --timeout=4 --durability=none "$t/d"
status_of "$ZSEND" -r --plain --no-auth --timeout=4 --json="$t/send.json" "$t/s/many" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 0 zsend; wait_for "$recv"; expect_status 0 zrecv
[ "$(field "$t/send.json" reconnects)" = 0 ] && [ ! -s "$t/send.err" ] || fail "the connection was taken for lost"
[ "$(ls "$t/d/many" | wc -l)" = 2000 ] || fail "not all came"
grep -q '"event":"progress".*"entries":[1-9]' "$t/send.json" || fail "nothing was told before the end"
