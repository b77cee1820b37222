# What a tree is made of, and what became of it: in the line of result of both programs, and in their JSON.
. "$(dirname "$0")/lib.sh"
# push STATUS OPTIONS...: of $t/s, with -a at both ends.
push() {
  local wanted=$1; shift
  unset ZXFER_KEY
  start_recv -q -a --summary "$t/d"
  status_of "$ZSEND" -q -a --summary --json="$t/send.json" "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status "$wanted" zsend; wait_for "$recv"; expect_status "$wanted" zrecv
}
# results COUNTS WORDS: the line of both, the last one.
results() {
  for side in send recv; do
    tail -1 "$t/$side.err" >"$t/line"
    grep -qE "^z$side: $1$2$" "$t/line" || fail "z$side says: $(cat "$t/line")"
  done
}
numbers() { # NAME=VALUE...: of the summaries of both
  for pair in "$@"; do
    for side in send recv; do
      [ "$(field "$t/$side.json" "${pair%=*}")" = "${pair#*=}" ] ||
        fail "z$side: ${pair%=*} is $(field "$t/$side.json" "${pair%=*}")"
    done
  done
}
place=': (zs://127.0.0.1:[0-9]*|/.*/d)'
moved='[0-9.]+ k?B in [0-9.]+ s \([0-9.]+ .?B/s\), verified, on disk'

mkdir -p "$t/d" "$t/s/many" "$t/s/empty"
(cd "$t/s/many" && seq 1200 | xargs touch)
for f in a b c; do echo $f >"$t/s/$f"; done
ln "$t/s/a" "$t/s/hard"; ln -s a "$t/s/soft"
push 0 "$t/s"
results "1,203 files, 3 directories, 1 link, 1 hard link, $moved" "$place"
numbers files=1203 directories=3 symlinks=1 hardlinks=1 skipped=0 failed=0 vanished=0

# Some are left alone, one cannot be sent, one is refused.
mkfifo "$t/s/fifo"; rm -r "$t/s/many" "$t/s/hard"; rm "$t/d/s/c" "$t/d/s/soft"; mkdir "$t/d/s/soft"
push 23 --overwrite=skip "$t/s"
results "1 file, 2 directories; 2 skipped, 2 failed; $moved" "$place"
numbers files=1 directories=2 symlinks=0 hardlinks=0 skipped=2 failed=2 vanished=0

# Nothing but that is told too.
push 0 --overwrite=skip "$t/s/a" "$t/s/b"  # into the destination itself: there are none yet
push 0 --overwrite=skip "$t/s/a" "$t/s/b"
tail -1 "$t/send.err" | grep -qE "^zsend: 0 files; 2 skipped; nothing sent in [0-9.]+ s: zs://" || fail "$(cat "$t/send.err")"
tail -1 "$t/recv.err" | grep -qE "^zrecv: 0 files; 2 skipped; nothing received in [0-9.]+ s: /" || fail "$(cat "$t/recv.err")"
numbers files=0 skipped=2 failed=0
