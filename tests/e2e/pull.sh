# The sender waits, the receiver connects: all of it, one by name, and a name that is not offered.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/a" 3000000; random_file "$t/b" 10
start_send -q "$t/a" "$t/b"
status_of "$ZRECV" -q "zs://127.0.0.1:$port" "$t/d"
expect_status 0 zrecv
wait_for "$send"
expect_status 0 zsend
expect_same "$t/a" "$t/d/a"; expect_same "$t/b" "$t/d/b"; rm "$t"/d/*
unset ZXFER_KEY; start_send -q "$t/a" "$t/b"
status_of "$ZRECV" -q "zs://127.0.0.1:$port/b" "$t/d/new"; expect_status 0; wait_for "$send"; expect_status 0
expect_same "$t/b" "$t/d/new"; expect_only "$t/d" new
unset ZXFER_KEY; start_send -q "$t/a"
status_of "$ZRECV" "zs://127.0.0.1:$port/secret" "$t/d" 2>"$t/r.err"
expect_status 9
expect_in "$t/r.err" "not offered"
wait_for "$send"; expect_status 9; expect_only "$t/d" new
# Two senders, two receivers: told, and the listener says whom it has turned away, and goes on listening.
unset ZXFER_KEY; start_send "$t/a"
status_of "$ZSEND" "$t/b" "zs://127.0.0.1:$port" 2>"$t/s.err"
expect_status 4
expect_in "$t/s.err" "sender too"
until_true grep -q "turned away: .*sender" "$t/send.err"
status_of "$ZRECV" -q "zs://127.0.0.1:$port" "$t/d"; expect_status 0; wait_for "$send"; expect_status 0
expect_same "$t/a" "$t/d/a"; expect_only "$t/d" a new
