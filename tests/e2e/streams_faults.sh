# Connections of a session that die are made again, the first one too, and meanwhile the others go on.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 120000003
expect_streams() { expect_in "$1" "\"streams\":$2,\"streams_lost\":$3"; }
connected() { grep -q '"event":"connected"' "$1" 2>/dev/null; }
quick() { local before=$SECONDS; "$@"; [ $((SECONDS - before)) -le 3 ] || fail "took $((SECONDS - before)) s: $*"; }
fresh() { rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; }
end_proxy() { kill -9 "$proxy"; wait "$proxy" 2>/dev/null || true; made=$(connections); }
push() {  # OPTIONS: ends with $status of zsend, $other of zrecv
  status_of "$ZSEND" -v --json="$t/send.json" --streams=${streams:-4} --block-size=1M "$@" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"; other=$status; status=$sent; end_proxy
}
pull() {
  status_of "$ZRECV" -v --json="$t/recv.json" --block-size=1M "$@" "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"
  other=$status; wait_for "$send"; end_proxy
}
both() { expect_status "$1" "zsend ($2)"; status=$other; expect_status "$1" "zrecv ($2)"; }

for mode in "" --plain; do
  for cut in 1:9000000 2:1500000 3:300000; do
    fresh; start_recv -v $mode "$t/d"; start_proxy "cut=${cut#*:},on=${cut%:*}"; push $mode
    both 0 "cut $cut $mode"; expect_same "$t/f" "$t/d/f"; expect_only "$t/d" f
    expect_streams "$t/send.json" 4 1; expect_streams "$t/recv.json" 4 1
    expect_in "$t/send.err" "is lost, the others go on"; expect_in "$t/recv.err" "is lost, the others go on"
    [ "$made" = 5 ] || fail "it was not made again: $made connections"
  done
  fresh
  start_send -v $mode --streams=4 --digest="$t/xxh" "$t/f"
  start_proxy cut=7000000,on=2,from=listener
  pull $mode
  both 0 "pull, cut $mode"; expect_same "$t/f" "$t/d/f"
  expect_streams "$t/send.json" 4 1; expect_streams "$t/recv.json" 4 1
  expect_in "$t/xxh" "$(xxhsum -H2 "$t/f" | cut -d' ' -f1)"
  # The first one itself, while the others go on, and when all are cut.
  fresh; start_recv -v $mode "$t/d"; start_proxy cut=3000000,on=0; push $mode
  both 0 "the first one cut $mode"
  expect_same "$t/f" "$t/d/f"
  expect_only "$t/d" f
  [ "$made" = 5 ] || fail "$made connections"
  for side in send recv; do
    expect_streams "$t/$side.json" 4 0; expect_in "$t/$side.err" "connected again (1 time)"
    [ "$(field "$t/$side.json" reconnects)" = 1 ] || fail "$side counted $(field "$t/$side.json" reconnects)"
  done
  fresh; start_recv -v $mode "$t/d"; start_proxy cut=3000000,on=0-3; push $mode
  both 0 "all cut $mode"
  expect_same "$t/f" "$t/d/f"
  expect_only "$t/d" f
  [ "$made" = 8 ] || fail "$made connections"
  for side in send recv; do
    again=$(field "$t/$side.json" reconnects) lost=$(field "$t/$side.json" streams_lost)
    [ $((again + lost)) = 4 ] || fail "$side counted $again + $lost"
  done
  # The only one, and it cannot be made again.
  fresh
  start_recv -v $mode --timeout=1 "$t/d"
  start_proxy cut=3000000,on=0 refuse=,on=1-
  streams=1 push $mode --timeout=1
  both 5 "cut and refused $mode"; expect_only "$t/d" ""
  # Only the first one gets through.
  fresh; start_recv -v $mode "$t/d"; start_proxy refuse=,on=1-; quick push $mode
  both 0 "all refused $mode"; expect_same "$t/f" "$t/d/f"
  expect_streams "$t/send.json" 1 3; expect_in "$t/send.err" "was never made, the others went on"
done

# Killed, interrupted, full: as with one connection, and soon.
start_pair() {
  fresh; start_recv -q --plain --timeout=1 --block-size=1M "$t/d"
  "$ZSEND" -q --plain --timeout=1 --streams=4 ${limit:-} --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=($send)
  until_true four_connected; kill -STOP "${!1}"
}
# The process of zrecv holds the listening socket and four connections: all streams are there.
four_connected() { [ "$(ls -l /proc/$recv/fd 2>/dev/null | grep -c socket:)" -ge 5 ]; }
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
  # Not so fast that it is past the cut before it is stopped.
  limit=--bwlimit=50M start_pair recv
  "$@"
  kill -CONT "$recv"
  wait_for "$send"
  other=$status
  wait_for "$recv"
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
