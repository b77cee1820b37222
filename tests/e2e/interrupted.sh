# A run that is interrupted tells the other side, also in the middle of a block, so that nobody waits for it to come back; and
# both say what is there already.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"
for n in 1 2; do random_file "$t/small$n" 1000; done
random_file "$t/big" $large
# Both are in the middle of the last file, and the others are committed.
start_both() {  # MODE
  rm -f "$t/d"/* "$t/send.json"
  start_recv $1 --timeout 60 "$t/d"
  "$ZSEND" $1 --timeout 60 --bwlimit 10MB/s --json="$t/send.json" "$t/small1" "$t/small2" "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=("$send")
  until_true grep -sq '"event":"entry".*small2' "$t/send.json"
}
# Who is told ends with 5, and long before --timeout.
told() {  # NAME PID
  wait_for "$2"; expect_status 5 "$1"
  expect_in "$t/$1.err" "error: peer: interrupted; before that 2 files were committed (--overwrite=skip leaves them alone)"
}
for mode in "${modes[@]}"; do
  begun=$SECONDS
  start_both "$mode"; kill -INT "$send"
  wait_for "$send"; expect_status 130 "zsend"; told recv "$recv"
  expect_in "$t/send.err" "error: interrupted by SIGINT; before that 2 files were committed"
  start_both "$mode"; kill -INT "$recv"
  wait_for "$recv"; expect_status 130 "zrecv"; told send "$send"
  [ $((SECONDS - begun)) -lt 50 ] || fail "waited for --timeout"
  expect_only "$t/d" small1 small2
done
# What it says leads on.
start_recv --plain --no-auth "$t/d"
status_of "$ZSEND" --plain --no-auth --overwrite=skip "$t/small1" "$t/small2" "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 0 "zsend that goes on"; wait_for "$recv"; expect_status 0; expect_same "$t/big" "$t/d/big"
expect_in "$t/send.err" "small1': skipped"
