# The summary names what held the transfer up, the same on both sides: source, destination and network are made
# the slow one in turn. The CPUs are not: who has too little of them here depends on what else runs.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "sanitizers make everything a matter of the CPU"
cc -shared -fPIC -O2 -o "$t/slow.so" "$ZX_SOURCE_DIR/tests/tools/slow.c" -ldl || fail "compile"
mkdir "$t/d"; random_file "$t/f" 20000000
slow="LD_PRELOAD=$t/slow.so SLOW_BYTES=10000000"
attempt() {  # EXPECTED "OPTIONS" "SENDER'S PREFIX" "RECEIVER'S PREFIX" [SENDER'S OPTIONS]
  rm -f "$t/recv.json" "$t/d/f"; unset ZXFER_KEY
  env $4 "$ZRECV" -v --durability=none --block-size=1M $2 --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!; started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  ZXFER_KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$t/recv.json"); export ZXFER_KEY
  status_of env $3 "$ZSEND" -v --durability=none $2 ${5:-} --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 zsend; wait_for "$recv"; expect_status 0 zrecv; expect_same "$t/f" "$t/d/f"
  for side in send recv; do
    sed -n "s/^z$side: limit:/$1, $side $2:/p" "$t/$side.err"
    [ "$(field "$t/$side.json" limit)" = "$1" ] || return 1
    expect_in "$t/$side.err" "z$side: limit: $1 ("
  done
}
# What else the machine does can blur one run, hardly three.
run() { attempt "$@" || attempt "$@" || attempt "$@" || fail "$1 is not called the limit"; }
for mode in "--plain --no-auth" "" "--plain --no-auth --engine=readwrite"; do
  run source "$mode" "$slow SLOW=read" ""
  run destination "$mode" "" "$slow SLOW=write"
  run network "$mode" "" "" --bwlimit=10000000
done
# What TCP says of itself: of the sender's end, and of the receiver's.
python3 - "$t/send.json" "$t/recv.json" <<'P' || fail "the members of tcp"
import json, sys
send, recv = (json.loads(open(path).readlines()[-1]) for path in sys.argv[1:])
tcp = send["tcp"]
assert set(tcp) == {"bytes_sent", "rtt_us", "min_rtt_us", "retransmits", "retransmitted_bytes", "delivery_rate",
                    "app_limited", "busy_us", "rwnd_limited_us", "sndbuf_limited_us", "cwnd", "mss",
                    "reordering"}, tcp
assert tcp["bytes_sent"] == send["wire_bytes"] > 20_000_000 and 0 < tcp["min_rtt_us"] <= tcp["rtt_us"], tcp
assert tcp["busy_us"] > 1_000_000 and tcp["cwnd"] > 0 and tcp["mss"] > 500 and tcp["delivery_rate"] > 1_000_000, tcp
assert set(recv["tcp"]) == {"bytes_received", "rcv_rtt_us", "out_of_order"}, recv["tcp"]
assert recv["tcp"]["bytes_received"] == recv["wire_bytes"] > 20_000_000
P
# Too short to tell, and a run that failed: a word all the same.
echo x >"$t/f"
start_recv -q --plain --no-auth "$t/d"
status_of "$ZSEND" -q --plain --no-auth --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0
[ "$(field "$t/send.json" limit)" = unknown ] || fail "one byte: $(field "$t/send.json" limit)"
status_of "$ZSEND" -q --plain --no-auth --json="$t/send.json" "$t/none" zs://127.0.0.1:1 2>"$t/send.err"; expect_status 6
[ "$(field "$t/send.json" limit)" = unknown ] || fail "nothing at all: $(field "$t/send.json" limit)"
