# A connection is replaced again and again, and what may happen to the two programs while neither has one.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d" "$t/s"
random_file "$t/s/a" 41943040
random_file "$t/s/b" 3000001
: >"$t/s/empty"
truncate -s 20000000 "$t/s/holes"; dd if="$t/s/b" of="$t/s/holes" bs=1000000 count=2 seek=7 conv=notrunc status=none
often=(--tls-cipher=aes128 --rekey-after=1M --block-size=1M)
replaced() { grep -c "the connection was replaced" "$1" || true; }

# meet LISTENER_PROGRAM_NAME HOST: starts the listener there; sets $port.
meet() {
  local who=$1 host=$2; shift 2
  local program=$ZRECV; [ "$who" = recv ] || program=$ZSEND
  rm -f "$t/$who.json"; unset ZXFER_KEY
  "$program" --listen "$host" --json="$t/$who.json" "$@" 2>"$t/$who.err" & eval "$who=$!"; started+=("$!")
  until_true listening "$t/$who.json"
  port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' "$t/$who.json")
  ZXFER_KEY=$(sed -n 's/.*"event":"listening".*"key":"\([^"]*\)".*/\1/p' "$t/$who.json"); export ZXFER_KEY
}

# relay OPTIONS...: in front of $port, which becomes its own.
relay() {
  [ -z "${relay:-}" ] || { kill "$relay" 2>/dev/null || true; wait "$relay" 2>/dev/null || true; }
  rm -f "$t/relay.log" "$t/gate"
  python3 "$ZX_SOURCE_DIR/tests/tools/relay.py" "$port" "$t/relay.log" "$@" & relay=$!; started+=("$relay")
  until_true test -s "$t/relay.log"
  port=$(head -1 "$t/relay.log")
}
came() { grep -qx "connection $1" "$t/relay.log"; }

# --- many files, push and pull, on each kind of address

for address in 127.0.0.1 0.0.0.0 "[::1]" ""; do
  [ "$address" != "[::1]" ] || [ -e /proc/net/if_inet6 ] || continue
  host=${address:-127.0.0.1}; [ "$host" != 0.0.0.0 ] || host=127.0.0.1
  rm -rf "$t/d"; mkdir "$t/d"
  meet recv "${address:+$address:}0" -vv "${often[@]}" "$t/d"
  status_of "$ZSEND" -vv "${often[@]}" "$t/s/"* "zs://$host:$port" 2>"$t/send.err"
  expect_status 0 "zsend to $address"; wait_for "$recv"; expect_status 0 "zrecv on $address"
  for f in a b empty holes; do expect_same "$t/s/$f" "$t/d/$f"; done
  expect_only "$t/d" a b empty holes
  # A switch comes before each block but the first: 40 + 3 + 2 or a block more where holes are not aligned.
  for side in send recv; do
    [ "$(replaced "$t/$side.err")" -ge 42 ] || fail "$side replaced $(replaced "$t/$side.err") connections"
  done
  [ "$(replaced "$t/send.err")" = "$(replaced "$t/recv.err")" ] || fail "not the same number on both sides"

  rm -rf "$t/d"; mkdir "$t/d"
  meet send "${address:+$address:}0" -vv "${often[@]}" "$t/s/"*
  status_of "$ZRECV" -vv "${often[@]}" "zs://$host:$port" "$t/d" 2>"$t/recv.err"
  expect_status 0 "zrecv from $address"; wait_for "$send"; expect_status 0 "zsend on $address"
  for f in a b empty holes; do expect_same "$t/s/$f" "$t/d/$f"; done
done

# One file under a name, and a digest over all of it.
rm -rf "$t/d"; mkdir "$t/d"
meet recv 127.0.0.1:0 -q "${often[@]}" "$t/d"
status_of "$ZSEND" -q -T --digest="$t/sums" "${often[@]}" "$t/s/b" "zs://127.0.0.1:$port/name" 2>"$t/send.err"
expect_status 0; wait_for "$recv"; expect_status 0
expect_same "$t/s/b" "$t/d/name"; expect_only "$t/d" name
[ "$(cut -d' ' -f1 "$t/sums")" = "$(xxhsum -H2 "$t/s/b" | cut -d' ' -f1)" ] || fail "another digest"

# --- while they wait for each other

# at_gate WHO OPTIONS...: WHO listens; both are brought to the point where the second connection has begun
# and has not come through. Sets $send and $recv.
at_gate() {
  local who=$1; shift
  rm -rf "$t/d"; mkdir "$t/d"
  if [ "$who" = recv ]; then meet recv 127.0.0.1:0 "${often[@]}" "$@" "$t/d"
  else meet send 127.0.0.1:0 "${often[@]}" "$@" "$t/s/a"; fi
  relay --gate 2 "$t/gate"
  if [ "$who" = recv ]; then "$ZSEND" --json="$t/send.json" "${often[@]}" "$@" "$t/s/a" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  else "$ZRECV" --json="$t/recv.json" "${often[@]}" "$@" "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err" & recv=$!; fi
  started+=("$send" "$recv")
  until_true came 2
}
# The survivor must not commit, must leave nothing, and must say that the network or time ended it.
survivor() {
  wait_for "$1"
  [ "$status" = 5 ] || [ "$status" = 10 ] || fail "$2 ended with $status"
  expect_in "$t/$2.err" "error: "
}
for who in recv send; do
  cp "$t/s/a" "$t/a.old"
  at_gate "$who"
  # What was sent stays, what was not is sent as it is now.
  dd if="$t/s/b" of="$t/s/a" bs=1000000 seek=20 conv=notrunc status=none
  : >"$t/gate"
  wait_for "$send"; expect_status 24 "zsend of a file that changed"
  wait_for "$recv"; expect_status 24 "zrecv of a file that changed"
  expect_same "$t/s/a" "$t/d/a"
  cp "$t/a.old" "$t/s/a"

  for signal in KILL INT; do
    for victim in send recv; do
      at_gate "$who" --timeout 2
      kill -"$signal" "${!victim}"; wait_for "${!victim}"
      [ "$signal" = KILL ] && expect_status 137 || expect_status 130 "$victim at the gate"
      : >"$t/gate"
      [ "$victim" = recv ] && other=send || other=recv
      survivor "${!other}" $other
      if [ "$victim$signal" = recvKILL ]; then rm -f "$t/d"/.zrecv-*; fi  # nothing could run
      expect_only "$t/d" ""
    done
  done

  # The second connection is refused, ended at once, or answered by nobody.
  for fault in --refuse --drop --hold; do
    rm -rf "$t/d"; mkdir "$t/d"
    if [ "$who" = recv ]; then meet recv 127.0.0.1:0 --timeout 2 "${often[@]}" "$t/d"
    else meet send 127.0.0.1:0 --timeout 2 "${often[@]}" "$t/s/a"; fi
    relay $fault 2
    if [ "$who" = recv ]; then "$ZSEND" --timeout 2 "${often[@]}" "$t/s/a" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
    else "$ZRECV" --timeout 2 "${often[@]}" "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err" & recv=$!; fi
    started+=("$send" "$recv")
    survivor "$send" send; survivor "$recv" recv
    expect_only "$t/d" ""
  done
done

# --- the port between two connections

# In the middle of a connection that is not to be replaced soon: the receiver stands still.
rm -rf "$t/d"; mkdir "$t/d"; random_file "$t/large" 200000000
connected() { grep -q '"event":"connected"' "$1" 2>/dev/null; }
meet recv 127.0.0.1:0 --tls-cipher=aes128 "$t/d"
"$ZSEND" --tls-cipher=aes128 --rekey-after=128M "$t/large" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
until_true connected "$t/recv.json"
kill -STOP "$recv"
listens() { awk -v port=":$(printf %04X "$port")" '$2 ~ port "$" && $4 == "0A" { found = 1 } END { exit !found }' /proc/net/tcp; }
! listens || fail "the listener is still there while no connection is wanted"
# Whoever takes the port meanwhile makes the switch fail, on both sides and with a reason.
python3 -c '
import signal, socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=False)
open(sys.argv[2], "w").close()
signal.pause()
' "$port" "$t/squatter" & squatter=$!; started+=("$squatter")
until_true test -e "$t/squatter"
kill -CONT "$recv"
wait_for "$recv"; expect_status 5 "zrecv without its port"
expect_in "$t/recv.err" "listen again: Address already in use"
wait_for "$send"; expect_status 5 "zsend to a zrecv without its port"
expect_in "$t/send.err" "listen again"
expect_only "$t/d" ""
