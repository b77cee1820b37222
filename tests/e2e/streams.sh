# --streams: blocks over several connections, in every mode and direction; nothing is lost or doubled.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d" "$t/src"
random_file "$t/src/big" 70000001; random_file "$t/src/odd" 12345677; random_file "$t/src/block" 1048576
random_file "$t/src/small" 4097; : >"$t/src/empty"
random_file "$t/part" 3000001; truncate -s 40M "$t/src/holes"
dd if="$t/part" of="$t/src/holes" bs=1M seek=17 conv=notrunc status=none
dd if="$t/part" of="$t/src/holes" bs=1M seek=3 conv=notrunc status=none
files=("$t"/src/*)

# summary FILE STREAMS LOST: what the JSON says of the connections.
expect_streams() {
  expect_in "$1" "\"streams\":$2,\"streams_lost\":$3"
}
same_files() { for f in "${files[@]}"; do expect_same "$f" "$t/d/${f##*/}"; done; expect_only "$t/d" big block empty holes odd small; }

# push STREAMS "SENDER OPTIONS" "RECEIVER OPTIONS": everything, and as many streams as were asked for.
push() {
  rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY
  start_recv --block-size=1M $3 "$t/d"
  status_of "$ZSEND" --json="$t/send.json" $2 "${files[@]}" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "zsend $*"; wait_for "$recv"; expect_status 0 "zrecv $*"
  same_files; expect_streams "$t/send.json" "$1" 0; expect_streams "$t/recv.json" "$1" 0
}
pull() {
  rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY
  start_send --block-size=1M $2 "${files[@]}"
  status_of "$ZRECV" --json="$t/recv.json" $3 "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"
  expect_status 0 "zrecv $*"; wait_for "$send"; expect_status 0 "zsend $*"
  same_files; expect_streams "$t/send.json" "$1" 0; expect_streams "$t/recv.json" "$1" 0
}
for n in 1 2 4 8; do
  for mode in "" --plain; do
    push "$n" "$mode --streams=$n" "$mode"
    pull "$n" "$mode" "$mode --streams $n"
  done
done
push 3 "--plain --no-auth --streams=3" "--plain --no-auth --streams=9"  # the smaller wish
push 2 "--plain --streams=auto" "--plain --streams=2"                   # the only one
push 1 "--plain --streams=1" "--plain --streams=8"
push 1 "--plain" "--plain"                                              # near by one is enough

# Every data path.
for engine in sendfile splice mmap readwrite direct; do push 4 "--plain --streams=4 --engine=$engine" --plain; done
for engine in splice readwrite direct; do push 4 "--plain --streams=4" "--plain --engine=$engine"; done

# The digest of a whole file, whose blocks came in no particular order.
push 4 "--streams=4 --digest=$t/send.xxh" "--digest=$t/recv.xxh"
sort "$t/send.xxh" | sed "s,  .*/,  ," >"$t/a"; sort "$t/recv.xxh" | sed "s,  .*/,  ," >"$t/b"
expect_same "$t/a" "$t/b"
for f in "${files[@]}"; do expect_in "$t/recv.xxh" "$(xxhsum -H2 "$f" | cut -d' ' -f1)"; done

# A key that has protected enough: every stream goes on over a new connection.
push 3 "--streams=3 --tls-cipher=aes128 --rekey-after=4M" "--tls-cipher=aes128 --rekey-after=4M"
pull 3 "--streams=3 --tls-cipher=aes128 --rekey-after=4M" "--tls-cipher=aes128 --rekey-after=4M"
