# A wrong or missing key is refused with status 3, encrypted and plain; nothing is made. The listener says so and
# goes on listening: who has the key is served by it.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; echo x >"$t/f"
"$ZSEND" -q --new-key "$t/other"
for mode in "${modes[@]}"; do
  unset ZXFER_KEY; start_recv $mode "$t/d"; right=$ZXFER_KEY
  unset ZXFER_KEY
  status_of "$ZSEND" $mode --key-file "$t/other" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 3 "zsend $mode with a wrong key"
  until_true grep -q "turned away: .*not authenticated: the \(keys differ\|peer has another key\)" "$t/recv.err"
  grep -q "127.0.0.1:$port: not authenticated: the \(keys differ\|peer has another key\)" "$t/send.err" || fail "zsend $mode does not say that the keys differ"
  ! grep -qi "ssl\|alert" "$t/send.err" "$t/recv.err" || fail "OpenSSL's words"
  expect_only "$t/d" ""
  ZXFER_KEY=$right; export ZXFER_KEY; status_of "$ZSEND" $mode "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "zsend $mode with the right key, after a wrong one"
  wait_for "$recv"; expect_status 0 "zrecv $mode with the right key, after a wrong one"
  expect_same "$t/f" "$t/d/f"; rm "$t/d/f"
  unset ZXFER_KEY; start_recv $mode "$t/d"
  unset ZXFER_KEY; status_of setsid "$ZSEND" $mode "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" </dev/null
  expect_status 3 "zsend $mode without a key"
  expect_in "$t/send.err" "no key"
  kill -9 "$recv"
done
# Plaintext on one side only: refused, and both say so.
for pair in "--plain:" ":--plain"; do
  unset ZXFER_KEY; start_recv ${pair%%:*} "$t/d"
  status_of "$ZSEND" ${pair##*:} "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 9 "zsend $pair"; expect_in "$t/send.err" "needs --plain on both ends"
  still_listens recv "needs --plain on both ends"
done
unset ZXFER_KEY; start_recv --plain --no-auth "$t/d"
status_of "$ZSEND" --plain --key-file "$t/other" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 9 "one side with --no-auth"; expect_in "$t/send.err" "no-auth"
still_listens recv "no-auth"
expect_only "$t/d" ""
