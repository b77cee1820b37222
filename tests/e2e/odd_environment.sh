# Closed standard descriptors, a limit on file size, files of /proc, umask 0777, no write permission.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 3000000
# Descriptors 0 to 2 closed: nothing may be written into what takes their place.
"$ZRECV" --plain --no-auth -v --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" <&- >&- 2>&- & recv=$!
started+=($recv)
until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
status_of "$ZSEND" --plain --no-auth -v "$t/f" "zs://127.0.0.1:$port" <&- >&- 2>&-; expect_status 0 zsend
wait_for "$recv"; expect_status 0 zrecv; expect_same "$t/f" "$t/d/f"; expect_only "$t/d" f
# RLIMIT_FSIZE: an error, not a death by SIGXFSZ.
rm -f "$t/recv.json" "$t/d/f"
(ulimit -f 1000; exec "$ZRECV" --plain --no-auth --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err") & recv=$!; started+=($recv)
until_true listening "$t/recv.json"
port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
status_of "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"; sent=$status
wait_for "$recv"
expect_status 9 "zrecv with a limit on file size"
[ "$sent" = 9 ] || fail "zsend ended with $sent"
expect_in "$t/recv.err" "File too large"; expect_only "$t/d" ""
# A file that says it is empty and is not.
status_of "$ZSEND" --plain --no-auth /proc/self/status zs://127.0.0.1:1 2>"$t/send.err"
expect_status 6 "/proc"
expect_in "$t/send.err" "has content"
# A umask that takes everything: the temporary file is still ours to read back.
: >"$t/u.json"
(umask 0777; exec "$ZRECV" --plain --no-auth -q --listen 127.0.0.1:0 --json="$t/u.json" "$t/d" 2>"$t/recv.err") & recv=$!; started+=($recv)
until_true listening "$t/u.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/u.json" | head -1)
status_of "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 0 "umask 0777"
wait_for "$recv"; expect_status 0; [ "$(stat -c %a "$t/d/f")" = 0 ] || fail "mode $(stat -c %a "$t/d/f")"
# A directory that cannot be written to (as somebody else than root).
[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || exit 0
chmod 755 "$t"; chmod 555 "$t/d"
# Readable by everyone, whatever folder it came from; in the guest it is already.
[ -n "${ZX_GUEST:-}" ] || { cp "$ZRECV" "$t/zrecv"; ZRECV=$t/zrecv; }
status_of timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups "$ZRECV" --plain --no-auth --listen 127.0.0.1:0 "$t/d" 2>"$t/recv.err"
expect_status 6 "a listener that cannot write"; expect_in "$t/recv.err" "Permission denied"
