# --bwlimit holds to 5 % of the bytes on the wire, whichever side asks for it, with and without TLS, also
# on a connection that replaces another; a limited sender ends at once when it is told to.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "sanitizers are too slow to be limited"
mkdir "$t/d"
# A loopback segment is 64 KiB, and ten leave before TCP begins to pace. 50 ms for what is not sending.
check() {  # RATE BYTES CONNECTIONS WHAT
  python3 - "$t/send.json" "$@" <<'P' || fail "$4 at $1 bytes/s"
import json, sys
rate, size, connections = (int(a) for a in sys.argv[2:5])
last = json.loads(open(sys.argv[1]).readlines()[-1])
wire, took = last["wire_bytes"], last["seconds"]
least, most = (wire - connections * 655360) / rate * 0.98, wire / rate * 1.05 + 0.05
print(f"{sys.argv[5]}: {wire} bytes in {took:.3f} s, from {least:.3f} to {most:.3f}")
sys.exit(not (last["bytes"] == size and wire > size and least <= took <= most))
P
}
run() {  # RATE BYTES CONNECTIONS "BOTH" "SEND OPTIONS" "RECV OPTIONS"
  unset ZXFER_KEY; rm -f "$t/d/f"; random_file "$t/f" "$2"
  start_recv -q --durability=none $4 $6 "$t/d"
  status_of "$ZSEND" -q --durability=none --json="$t/send.json" $4 $5 "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "zsend $4 $5"; wait_for "$recv"; expect_status 0 "zrecv $4 $6"; expect_same "$t/f" "$t/d/f"
  check "$1" "$2" "$3" "$4 $5 / $6"
}
plain="--plain --no-auth"
run 4000000 12000000 1 "$plain" --bwlimit=4000000 ""
run 10000000 20000000 1 "$plain" "" --bwlimit=10000000
run 10000000 20000000 1 "" --bwlimit=10000000 ""
run 10000000 20000000 1 "" --bwlimit=90M --bwlimit=10000000
run 10485760 20000000 1 "$plain" --bwlimit=10M --bwlimit=1G
run 60000000 150000000 1 "" "" --bwlimit=60000000
run 10000000 20000000 3 "--rekey-after=8M --tls-cipher=aes128" --bwlimit=10000000 ""
# Half a minute's worth of data: it must not have to leave first.
random_file "$t/f" 30000000; rm -f "$t/d/f"
# In plain mode a peer that ends in the middle of a block is a lost connection.
for mode in "$plain --timeout=1" ""; do
  unset ZXFER_KEY; rm -f "$t/send.json"  # the one before has progress in it
  start_recv -q $mode "$t/d"
  "$ZSEND" -q $mode --bwlimit=1000000 --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=($send)
  moving() { grep -q '"event":"progress","bytes":[1-9]' "$t/send.json"; }
  until_true moving
  begin=$(date +%s%N); kill -INT "$send"; wait_for "$send"; expect_status 130 "a limited zsend $mode"
  wait_for "$recv"; expect_status 5 "its zrecv"
  took=$((($(date +%s%N) - begin) / 1000000)); echo "interrupted $mode: both ended in $took ms"
  [ "$took" -lt 2500 ] || fail "a limited sender took $took ms to end"
done
