# --verify-first: nothing comes out before all of it is verified, whatever happens; and then exactly the content.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_stream.sh"
random_file "$t/big" $large; printf 'echo done >"%s/ran"\n' "$t" >"$t/script"; : >"$t/empty"
export TMPDIR="$t/tmp"; mkdir "$TMPDIR"

for mode in "${modes[@]}"; do
  for file in big script empty; do
    recv_pipe "cat >'$t/got'" -q $mode --verify-first --digest="$t/xxh" -
    send "$t/$file" -q $mode; expect_both 0 "$file $mode"; expect_same "$t/$file" "$t/got"
    expect_in "$t/xxh" "$(xxhsum -H2 <"$t/$file" | cut -d' ' -f1)"
  done
  recv_pipe ">'$t/got'" -q $mode --verify-first --streams=4 --block-size=1M -
  send "$t/big" -q $mode --streams=4; expect_both 0 "4 streams $mode"; expect_same "$t/big" "$t/got"
  # A script that is there whole is run.
  rm -f "$t/ran"; recv_pipe "sh" -q $mode --verify-first -
  send "$t/script" -q $mode; expect_both 0 "a script $mode"; [ -e "$t/ran" ] || fail "it was not run"
done
expect_only "$TMPDIR" ""

# Half of a script must not be: with each of these the lines before it would do harm. Its sender is killed in the
# middle, or finds that its source cannot be read to the end.
{ printf 'echo harm >"%s/ran"\n' "$t"; head -c 40000000 /dev/zero | tr '\0' '\n'; echo 'echo end'; } >"$t/long"
rm -f "$t/ran"
for victim in send recv; do
  recv_pipe "sh" -q --plain --no-auth --verify-first --block-size=1M --timeout=1 -; start_proxy hold 20000000
  "$ZSEND" -q --plain --no-auth --timeout=1 "$t/long" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=("$send")
  until_true proxy_did hold
  break_off $victim "$pid" TERM 143; [ ! -e "$t/ran" ] || fail "a part of the script was run"
done
# Without it a part is run: the fault is one that the option guards against.
recv_pipe "sh" -q --plain --no-auth --block-size=1M --timeout=1 -; start_proxy hold 20000000
"$ZSEND" -q --plain --no-auth --timeout=1 "$t/long" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
started+=("$send")
until_true proxy_did hold; until_true test -e "$t/ran"
kill -9 "$send"; kill "$proxy"; wait_for "$recv"; expect_status 5; wait "$send" 2>/dev/null || true

# No space for it: 7 on both sides and not one byte; found before the first byte, or while it is written.
mkdir "$t/mnt"; mount -t tmpfs -o size=20m tmpfs "$t/mnt" 2>/dev/null || skip "cannot mount a tmpfs here"
export TMPDIR="$t/mnt"
truncate -s 40000000 "$t/holes"; dd if="$t/big" of="$t/holes" bs=1M count=30 seek=2 conv=notrunc status=none
for file in big holes; do
  recv_pipe "cat >'$t/got'" --plain --no-auth --verify-first --block-size=1M -
  send "$t/$file" --plain --no-auth; expect_both 7 "$file on a full disk"
  [ ! -s "$t/got" ] || fail "something came out"
  for said in recv send; do expect_in "$t/$said.err" "No space left"; expect_in "$t/$said.err" "held in"; done
done
# A directory that was set by hand is not silently passed over for memory.
export TMPDIR="$t/nowhere"
recv_pipe ">'$t/got'" -q --plain --no-auth --verify-first -
send "$t/big" -q --plain --no-auth
expect_both 6 "a TMPDIR that is not there"
expect_in "$t/recv.err" "TMPDIR: '$t/nowhere'"
# Where the usual one cannot hold it, it is held in memory.
[ "$(id -u)" = 0 ] || exit 0
unset TMPDIR
printf '#!/bin/sh\nexec unshare -m sh -c '"'"'mount -t proc proc /var/tmp && exec "$@"'"'"' - %q "$@"\n' "$ZRECV" >"$t/elsewhere"
chmod +x "$t/elsewhere"; ZRECV=$t/elsewhere
recv_pipe "cat >'$t/got'" -q --plain --no-auth --verify-first -
send "$t/big" -q --plain --no-auth; expect_both 0 "in memory"; expect_same "$t/big" "$t/got"
