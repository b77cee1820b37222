# zrecv --inplace writes into the existing file that its operator named: the same inode, no temporary file, cut
# to the new length, holes included. What fails after the first byte says that the content is mixed; what is
# refused before leaves the old content.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 5000001; random_file "$t/old" 7000000
# go RECV_STATUS SEND_STATUS DST [OPTIONS for zrecv]: sends ${src:-$t/f}; sender's options in $more.
go() {
  local rs=$1 ss=$2 dst=$3; shift 3
  start_recv --plain --no-auth --inplace "$@" "$dst"
  status_of "$ZSEND" --plain --no-auth --json="$t/send.json" ${more:-} ${src:-"$t/f"} "zs://127.0.0.1:$port${path:-}" 2>"$t/send.err"
  expect_status "$ss" "zsend $*"
  wait_for "$recv"; expect_status "$rs" "zrecv $*"
}
inode() { stat -c %i "$1"; }
renew() { cp "$t/old" "$t/d/x"; chmod 640 "$t/d/x"; }
renew; before=$(inode "$t/d/x")
for engine in splice readwrite direct; do
  for length in 5000001 0 1 9000000; do  # shorter than what is there, empty, and longer
    random_file "$t/g" $length
    src=$t/g go 0 0 "$t/d/x" --engine=$engine; expect_same "$t/g" "$t/d/x"
  done
done
[ "$(inode "$t/d/x")" = "$before" ] && [ "$(stat -c %a "$t/d/x")" = 640 ] || fail "another file, or another mode"
expect_only "$t/d" x
[ "$(field "$t/recv.json" durable)" = true ] && [ "$(field "$t/send.json" durable)" = true ] || fail "not called durable"
go 0 0 "$t/d/x" --durability=none; expect_same "$t/f" "$t/d/x"
[ "$(field "$t/recv.json" durable)" = false ] && [ "$(field "$t/send.json" durable)" = false ] || fail "called durable"
# One at a time.
renew; exec 9<"$t/d/x"; flock 9
status_of timeout 10 "$ZRECV" --inplace --listen 127.0.0.1:0 "$t/d/x" 2>"$t/e.err"; expect_status 6 "a locked destination"
expect_in "$t/e.err" "another program has locked it"; exec 9<&-; expect_same "$t/old" "$t/d/x"
# With TLS and several streams, where blocks come in any order.
random_file "$t/g" 30000000; renew
start_recv --inplace --streams=3 --block-size=1M "$t/d/x"; "$ZSEND" --streams=3 "$t/g" "zs://127.0.0.1:$port"
wait_for "$recv"; expect_status 0; expect_same "$t/g" "$t/d/x"
# Where the source has a hole the old content must go; the digest of the whole file agrees.
rm "$t/g"; truncate -s 6000000 "$t/g"; printf x | dd of="$t/g" bs=1 seek=5000000 conv=notrunc status=none; renew
src=$t/g more=--digest go 0 0 "$t/d/x" --digest="$t/sums" >/dev/null; expect_same "$t/g" "$t/d/x"; xxhsum -c "$t/sums" >/dev/null 2>&1 || fail "digest"
# The operator's link is followed, and stays.
ln -s x "$t/d/link"
renew
go 0 0 "$t/d/link"
[ -L "$t/d/link" ] || fail "the link is gone"
expect_same "$t/f" "$t/d/x"
rm "$t/d/link"

# Refused before a byte is written: two sources, a name by the peer, --overwrite by the peer.
renew
src="$t/f $t/g" go 9 9 "$t/d/x"
expect_same "$t/old" "$t/d/x"
expect_in "$t/recv.err" "--inplace takes one source"
path=/x go 9 9 "$t/d/x"; expect_same "$t/old" "$t/d/x"; path=/y go 9 9 "$t/d/x"; expect_only "$t/d" x
more=--overwrite=never go 9 9 "$t/d/x"
expect_same "$t/old" "$t/d/x"
expect_in "$t/send.err" "exists already"
touch -d 2001-01-01 "$t/f"; more=--overwrite=older go 0 0 "$t/d/x"; expect_same "$t/old" "$t/d/x"
! grep -q 'partly old' "$t/recv.err" "$t/send.err" || fail "says that an untouched file is mixed"
# Nothing that is not there, a directory, or a FIFO.
mkfifo "$t/fifo"; mkdir "$t/sub"
for bad in "$t/none" "$t/sub" "$t/sub/" "$t/fifo" /dev/null; do
  status_of timeout 10 "$ZRECV" --inplace --listen 127.0.0.1:0 "$bad" 2>"$t/e.err"
  expect_status 6 "--inplace $bad"
  expect_in "$t/e.err" "$bad"
done
[ ! -e "$t/none" ] || fail "a file appeared"
for words in "--inplace --listen 127.0.0.1:0" "--inplace --overwrite=never --listen 127.0.0.1:0 x" "--inplace --overwrite=skip --listen 127.0.0.1:0 x"; do
  status_of timeout 10 "$ZRECV" $words 2>"$t/e.err"; expect_status 2 "$words"
done

# The connection ends in the middle and is not made again: the line of the error says what the file is now.
random_file "$t/g" $large; renew
start_recv --inplace --timeout=1 "$t/d/x"
start_proxy cut=5000000,on=0 refuse=,on=1-
status_of "$ZSEND" --timeout=1 "$t/g" "zs://127.0.0.1:$port" 2>"$t/send.err"
[ "$status" != 0 ] || fail "zsend ended with 0"
wait_for "$recv"; expect_status 5 "zrecv, cut"
mixed='zrecv: error: .*(written in place: its content is now partly old and partly new)$'
grep -q "$mixed" "$t/recv.err" || fail "does not say that the content is mixed: $(cat "$t/recv.err")"
cmp -s "$t/d/x" "$t/old" && fail "nothing was written: the cut came too early"
# A failed sync: both sides.
if command -v strace >/dev/null; then
  renew; rm -f "$t/recv.json"
  ASAN_OPTIONS=detect_leaks=0 strace -f -o "$t/trace" -e trace=fsync -e inject=fsync:error=EIO:when=1 "$ZRECV" --plain --no-auth --listen 127.0.0.1:0 --inplace --json="$t/recv.json" "$t/d/x" 2>"$t/recv.err" & recv=$!
  started+=($recv)
  until_true listening "$t/recv.json"; port=$(field "$t/recv.json" port)
  status_of "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 6 "zsend, failed sync"
  wait_for "$recv"; expect_status 6 "zrecv, failed sync"
  grep -q "$mixed" "$t/recv.err" || fail "does not say that the content is mixed"
  expect_in "$t/send.err" "partly old and partly new"
fi
