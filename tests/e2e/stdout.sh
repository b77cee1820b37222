# zrecv - : standard output gets exactly the content, of any size, in a pipe, a file or elsewhere, and only when it
# has all of it the status is 0.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_stream.sh"
block=1048576
: >"$t/f0"; printf x >"$t/f1"; for n in -1 0 1; do random_file "$t/f$((block + n))" $((block + n)); done
random_file "$t/big" $large

for mode in "${modes[@]}"; do
  for size in 0 1 $((block - 1)) $block $((block + 1)); do
    recv_pipe "cat >'$t/got'" -q --block-size=1M $mode -
    send "$t/f$size" -q $mode; expect_both 0 "$size bytes $mode"; expect_same "$t/f$size" "$t/got"
    recv_pipe ">'$t/got'" -q --block-size=1M $mode -
    send "$t/f$size" -q $mode; expect_both 0 "$size bytes into a file $mode"; expect_same "$t/f$size" "$t/got"
  done
  recv_pipe "cat >'$t/got'" -v $mode --digest="$t/xxh" -
  send "$t/big" -v $mode; expect_both 0 "a large one $mode"; expect_same "$t/big" "$t/got"
  expect_in "$t/recv.err" "standard output is a pipe"; expect_in "$t/recv.err" "not durable"
  expect_in "$t/xxh" "$(xxhsum -H2 <"$t/big" | cut -d' ' -f1)"
  expect_in "$t/recv.json" '"durable":false'; expect_in "$t/send.json" '"durable":false'
  expect_in "$t/recv.json" '"output":"-"'
  recv_pipe ">'$t/got'" -v $mode -
  send "$t/big" -v $mode; expect_both 0 "into a file $mode"; expect_same "$t/big" "$t/got"
  expect_in "$t/recv.err" "standard output is a file"
  printf before >"$t/got"; recv_pipe ">>'$t/got'" -v $mode -
  send "$t/big" $mode; expect_both 0 "to the end of a file $mode"
  { printf before; cat "$t/big"; } | cmp - "$t/got" || fail "appended is something else"
  recv_pipe ">/dev/null" -q $mode -
  send "$t/big" -q $mode; expect_both 0 "/dev/null $mode"
  recv_pipe "cat >'$t/got'" -v $mode --streams=4 --block-size=1M --digest="$t/xxh" -
  send "$t/big" -v $mode --streams=4; expect_both 0 "4 streams $mode"; expect_same "$t/big" "$t/got"
  expect_in "$t/recv.json" '"streams":4'; expect_in "$t/xxh" "$(xxhsum -H2 <"$t/big" | cut -d' ' -f1)"
  # Fetched.
  start_send -q $mode "$t/big" "$t/f1"
  status_of "$ZRECV" -q $mode "zs://127.0.0.1:$port/big" - >"$t/got" 2>"$t/recv.err"
  expect_status 0 "pull $mode"
  wait_for "$send"; expect_status 0; expect_same "$t/big" "$t/got"
done

# Holes, at the end too.
truncate -s 30000000 "$t/holes"; dd if="$t/big" of="$t/holes" bs=1M count=2 seek=7 conv=notrunc status=none
recv_pipe "cat >'$t/got'" -q --plain --no-auth -
send "$t/holes" -q --plain --no-auth; expect_both 0 "holes"; expect_same "$t/holes" "$t/got"

# A second entry, and what else the sender cannot have.
for what in "$t/f1 $t/f0" "--durability=file $t/f1" "--durability=batch $t/f1"; do
  recv_pipe "cat >'$t/got'" --plain --no-auth -
  send $what --plain --no-auth; expect_both 9 "$what"
  [ ! -s "$t/got" ] || fail "something of it came out"
  expect_in "$t/recv.err" "standard output"; expect_in "$t/send.err" "standard output"
done
recv_pipe "cat >'$t/got'" --plain --no-auth -
status_of "$ZSEND" --plain --no-auth "$t/f1" "zs://127.0.0.1:$port/name" 2>"$t/send.err"
expect_status 9 "a path"
wait_for "$recv"; expect_status 9 "a path"
start_send -q --plain --no-auth "$t/f0" "$t/f1"
status_of "$ZRECV" --plain --no-auth "zs://127.0.0.1:$port" - >"$t/got" 2>"$t/recv.err"
expect_status 9 "pull of two"
wait_for "$send"; expect_status 9 "pull of two"; [ ! -s "$t/got" ] || fail "something of it came out"

# A standard output that takes nothing.
recv_pipe ">/dev/full" --plain --no-auth -
send "$t/big" --plain --no-auth
expect_both 7 "a full disk"
expect_in "$t/recv.err" "standard output: write: No space left"
expect_in "$t/send.err" "standard output: write: No space left"
status_of "$ZRECV" --plain --no-auth zs://127.0.0.1:1 - >&- 2>"$t/recv.err"; expect_status 2 "closed"
expect_in "$t/recv.err" "standard output is closed"
status_of script -qec "$ZRECV --plain --no-auth zs://127.0.0.1:1 -" /dev/null >"$t/tty" 2>&1 </dev/null
expect_status 2 "a terminal"
expect_in "$t/tty" "standard output is a terminal"

# A reader that leaves ends both sides, whoever is faster, and the sender hears why.
most=10
for mode in "${modes[@]}"; do
  for streams in 1 4; do
    recv_pipe "head -c 1M | wc -c" -q $mode -
    quickly send "$t/big" -q $mode --streams=$streams; expect_both 6 "head $mode"
    [ "$(cat "$t/recv.out")" = 1048576 ] || fail "head took $(cat "$t/recv.out")"
    expect_in "$t/recv.err" "standard output: the reader has closed it"
    expect_in "$t/send.err" "peer: standard output: the reader has closed it"
  done
done
# One that takes the last byte and leaves is a success.
recv_pipe "head -c $((block + 1)) | wc -c" -q --plain --no-auth -
send "$t/f$((block + 1))" -q --plain --no-auth; expect_both 0 "the last byte was taken"

# Stopped in the middle: a prefix, and never 0.
for victim in send recv; do
  recv_pipe "cat >'$t/got'" -q --plain --no-auth --block-size=1M --timeout=1 -; start_proxy hold 20000000
  "$ZSEND" -q --plain --no-auth --timeout=1 "$t/big" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=("$send")
  until_true proxy_did hold
  until_true test -s "$t/got"  # under load all of that may be there before the reader has begun
  break_off $victim "$pid" INT 130
  size=$(stat -c %s "$t/got"); [ "$size" -gt 0 ] && [ "$size" -lt "$large" ] || fail "$size bytes came out"
  cmp -n "$size" "$t/big" "$t/got" || fail "what came out is not its begin"
done
