# One of two files fails at its commit: 23 on both sides with the reason, and the other one is durable.
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip "no strace"
mkdir "$t/d"; echo a >"$t/a"; echo b >"$t/b"
for fault in "renameat,renameat2:error=EIO:when=2" "fsync:error=ENOSPC:when=2"; do
  rm -f "$t/recv.json" "$t"/d/*
  strace -f -o "$t/trace" -e trace="${fault%%:*}" -e inject="$fault" \
    "$ZRECV" --plain --no-auth --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!
    started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  status_of "$ZSEND" --plain --no-auth --json="$t/send.json" "$t/a" "$t/b" "zs://127.0.0.1:$port" 2>"$t/send.err"
  grep -q INJECTED "$t/trace" || fail "the fault did not fire"
  expect_status 23 "zsend, $fault"; wait_for "$recv"; expect_status 23 "zrecv, $fault"
  expect_in "$t/send.err" "/b'"; expect_in "$t/recv.err" "/b'"
  expect_same "$t/a" "$t/d/a"; expect_only "$t/d" a
  grep -q '"exit":23.*"files":1.*"durable":true' "$t/send.json" || fail "the summary of a partial run"
done
# A run that ends early reports nothing as sent.
start_recv -q --plain --no-auth "$t/d"
strace -f -o "$t/trace" -e trace=fsync -e inject=fsync:signal=KILL "$ZRECV" -q --plain --no-auth --listen 127.0.0.1:0 --json="$t/k.json" "$t/d" 2>"$t/recv.err" & dying=$!
started+=($dying)
until_true listening "$t/k.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/k.json" | head -1)
status_of "$ZSEND" --plain --no-auth --timeout=1 --digest="$t/dig" --json="$t/send.json" "$t/b" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 5 "a receiver killed before its verdict"
grep -q '"exit":5.*"files":0' "$t/send.json" || fail "a file is reported that was never committed"
[ ! -s "$t/dig" ] || fail "a digest is printed for a file that was never committed"
kill "$recv"
