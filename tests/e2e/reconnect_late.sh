# What was on a connection that is lost comes late, when the next one has passed that place: it has no effect. So that
# it would be seen, the source has other content by then; and the receiver has not noticed the loss by itself.
. "$(dirname "$0")/lib.sh"
size=20000000 kept=3000000
random_file "$t/before" $size; tr '\0-\377' '\1-\377\0' <"$t/before" >"$t/after"
late() {  # push|pull, OPTIONS
  local way=$1 what=$*; shift
  rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; cp "$t/before" "$t/f"
  local rules=("hold=0,on=1" "stale=$kept+2000000,until=12000000,on=0,from=")
  if [ $way = push ]; then
    start_recv "$@" "$t/d"; start_proxy "${rules[0]}" "${rules[1]}connector"
    "$ZSEND" "$@" --block-size=1M --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
    started+=("$send")
  else
    start_send "$@" "$t/f"; start_proxy "${rules[0]}" "${rules[1]}listener"
    "$ZRECV" "$@" --block-size=1M --json="$t/recv.json" "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err" & recv=$!
    started+=("$recv")
  fi
  until_true proxy_did hold 1
  dd if="$t/after" of="$t/f" bs=1M conv=notrunc status=none
  local begin=$SECONDS; kill -USR1 "$proxy"
  wait_for "$send"; expect_status 24 "zsend ($what)"; wait_for "$recv"; expect_status 24 "zrecv ($what)"
  # The old connection is shut down by the new one, not when it has been silent for long enough.
  [ $((SECONDS - begin)) -lt 10 ] || fail "it took $((SECONDS - begin)) s ($what)"
  until_true proxy_did late 0; kill "$proxy"
  expect_only "$t/d" f
  for side in send recv; do
    [ "$(field "$t/$side.json" reconnects)" = 1 ] || fail "z$side counted $(field "$t/$side.json" reconnects) ($what)"
    [ "$(field "$t/$side.json" retransmitted_blocks)" = 0 ] || fail "z$side: a block was damaged ($what)"
  done
  python3 - "$t/d/f" "$t/before" "$t/after" $kept <<'P' || fail "not what either connection has brought in time ($what)"
import sys
got, before, after = (open(path, "rb").read() for path in sys.argv[1:4])
block, kept = 1 << 20, int(sys.argv[4])
assert len(got) == len(after)
old = [at for at in range(0, len(got), block) if got[at:at + block] != after[at:at + block]]
print(f"{len(old)} blocks came over the first connection")
assert old == list(range(0, len(old) * block, block)) and (not old or old[-1] + block <= kept), old
assert all(got[at:at + block] == before[at:at + block] for at in old), old
P
}
# The listener that receives cannot know. A receiver that connects finds the silence, after 1 s.
late push; late push --plain
late pull --timeout=4
