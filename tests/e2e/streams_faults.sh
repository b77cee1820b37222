# Connections of a session that die: a further one does no harm, the first one ends the session.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 120000003
expect_streams() { expect_in "$1" "\"streams\":$2,\"streams_lost\":$3"; }
connected() { grep -q '"event":"connected"' "$1" 2>/dev/null; }
# start_proxy WHAT: between the programs from here on; sets $port to its own.
start_proxy() {
  rm -f "$t/proxy.port"
  python3 "$ZX_SOURCE_DIR/tests/tools/proxy.py" "$t/proxy.port" "$port" "$@" 2>"$t/proxy.err" & proxy=$!; started+=($proxy)
  until_true test -e "$t/proxy.port"; port=$(cat "$t/proxy.port")
}
fresh() { rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; }
end_proxy() { kill -9 "$proxy"; wait "$proxy" 2>/dev/null || true; }
push() {  # OPTIONS: ends with $status of zsend, $other of zrecv
  status_of "$ZSEND" -v --json="$t/send.json" --streams=4 --block-size=1M "$@" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"; other=$status; status=$sent; end_proxy
}
pull() {
  status_of "$ZRECV" -v --json="$t/recv.json" --block-size=1M "$@" "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"
  other=$status; wait_for "$send"; end_proxy
}
both() { expect_status "$1" "zsend ($2)"; status=$other; expect_status "$1" "zrecv ($2)"; }

for mode in "" --plain; do
  for killed in 2@9000000 3@1500000 4@300000; do
    fresh; start_recv -v $mode "$t/d"; start_proxy "kill=$killed"; push $mode
    both 0 "killed $killed $mode"; expect_same "$t/f" "$t/d/f"; expect_only "$t/d" f
    expect_streams "$t/send.json" 4 1; expect_streams "$t/recv.json" 4 1
    expect_in "$t/send.err" "is lost, the others go on"; expect_in "$t/recv.err" "is lost, the others go on"
  done
  fresh; start_send -v $mode --streams=4 --digest="$t/xxh" "$t/f"; start_proxy kill=3@7000000; pull $mode
  both 0 "pull, killed $mode"; expect_same "$t/f" "$t/d/f"
  expect_streams "$t/send.json" 4 1; expect_streams "$t/recv.json" 4 1
  expect_in "$t/xxh" "$(xxhsum -H2 "$t/f" | cut -d' ' -f1)"
  # Only the first one gets through.
  fresh; start_recv -v $mode "$t/d"; start_proxy refuse=2; push $mode
  both 0 "all refused $mode"; expect_same "$t/f" "$t/d/f"
  expect_streams "$t/send.json" 1 3; expect_in "$t/send.err" "is lost, the others go on"
  # The first one itself.
  fresh; start_recv -v $mode "$t/d"; start_proxy kill=1@3000000; push $mode
  both 5 "the first one killed $mode"; expect_only "$t/d" ""
done

# Killed, interrupted, full: as with one connection, and soon.
start_pair() {
  fresh; start_recv -q --plain --block-size=1M "$t/d"
  "$ZSEND" -q --plain --streams=4 --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=($send)
  until_true four_connected; kill -STOP "${!1}"
}
# The process of zrecv holds the listening socket and four connections: all streams are there.
four_connected() { [ "$(ls -l /proc/$recv/fd 2>/dev/null | grep -c socket:)" -ge 5 ]; }
quick() { local before=$SECONDS; "$@"; [ $((SECONDS - before)) -le 5 ] || fail "took $((SECONDS - before)) s: $*"; }
random_file "$t/f" 400000000
start_pair recv; kill -9 "$recv"; quick wait_for "$send"; expect_status 5 "zsend of a killed zrecv"
wait "$recv" 2>/dev/null || true
start_pair recv; kill -INT "$send"; quick wait_for "$send"; expect_status 130 "zsend, interrupted"
kill -CONT "$recv"; quick wait_for "$recv"; expect_status 5 "zrecv of it"; expect_only "$t/d" ""
start_pair send; kill -INT "$recv"; quick wait_for "$recv"; expect_status 130 "zrecv, interrupted"
kill -CONT "$send"; quick wait_for "$send"; expect_status 5 "zsend of it"; expect_only "$t/d" ""

# A source that becomes shorter, or longer, or is written over while several streams read it.
changed() {
  random_file "$t/f" 100000000; cp "$t/f" "$t/orig"
  start_pair recv; "$@"; kill -CONT "$recv"; wait_for "$send"; other=$status; wait_for "$recv"
  [ "$status" = "$other" ] || fail "zsend $other, zrecv $status ($*)"
}
changed truncate -s 60000001 "$t/f"; expect_status 24 cut; expect_same "$t/f" "$t/d/f"
changed eval 'printf more >>"$t/f"'; expect_status 24 grown; expect_same "$t/orig" "$t/d/f"
changed eval 'tr "\0-\377" "\1-\377\0" <"$t/orig" | dd of="$t/f" bs=1M conv=notrunc status=none'
expect_status 24 overwritten
python3 - "$t/d/f" "$t/orig" "$t/f" <<'P' || fail "bytes that neither version had"
import sys
got, old, new = (open(path, "rb").read() for path in sys.argv[1:])
assert len(got) == len(old) == len(new) == 100000000
step = 4096
assert all(got[i:i + step] in (old[i:i + step], new[i:i + step]) for i in range(0, len(got), step))
P

# A full disk: found at the reservation, and while several streams write.
mkdir "$t/mnt"
if mount -t tmpfs -o size=6m tmpfs "$t/mnt" 2>/dev/null; then
  random_file "$t/f" 16000000; truncate -s 16000000 "$t/holes"; random_file "$t/tail" 13000000
  dd if="$t/tail" of="$t/holes" bs=1M seek=2 conv=notrunc status=none
  for file in f holes; do
    unset ZXFER_KEY; start_recv --plain --block-size=1M "$t/mnt"
    status_of "$ZSEND" --plain --streams=4 "$t/$file" "zs://127.0.0.1:$port" 2>"$t/send.err"
    expect_status 7 "zsend, full, $file"; wait_for "$recv"; expect_status 7 "zrecv, full, $file"
    expect_in "$t/recv.err" "No space left"; expect_in "$t/send.err" "No space left"; expect_only "$t/mnt" ""
  done
fi
