# A source that cannot be read, grows, shrinks or changes while it is sent.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"
for what in missing directory fifo; do
  case $what in missing) f=$t/none ;; directory) f=$t/d ;; fifo) mkfifo "$t/fifo"; f=$t/fifo ;; esac
  status_of timeout 10 "$ZSEND" --plain --no-auth "$f" zs://127.0.0.1:1 2>"$t/send.err"
  expect_status 6 "$what"; expect_in "$t/send.err" "$f"
done
# go MODE COMMAND...: runs COMMAND while the sender is in the middle of sending.
go() {
  local mode=$1; shift
  random_file "$t/f" $large; cp "$t/f" "$t/orig"
  start_recv $mode "$t/d"; start_proxy hold 5000000
  "$ZSEND" $mode "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=($send)
  stop_in_the_middle "$recv"
  "$@"
  kill -CONT "$recv"; wait_for "$send"
}
both_changed() {
  expect_status 24 "zsend ($1)"; expect_in "$t/send.err" changed
  wait_for "$recv"; expect_status 24 "zrecv ($1)"; expect_in "$t/recv.err" changed
}
for mode in "${modes[@]}"; do
  go "$mode" eval 'printf more >>"$t/f"'
  both_changed grows; expect_same "$t/orig" "$t/d/f"
  go "$mode" truncate -s $((large - 9999999)) "$t/f"
  both_changed shrinks; expect_same "$t/f" "$t/d/f"
  # Overwritten under the sender's feet: blocks on their way differ from what was hashed and are asked for
  # again. What arrives is of the two versions and nothing else.
  go "$mode" eval 'tr "\0-\377" "\1-\377\0" <"$t/orig" | dd of="$t/f" bs=1M conv=notrunc status=none'
  both_changed overwritten
  python3 - $large "$t/d/f" "$t/orig" "$t/f" <<'P' || fail "bytes that neither version had"
import sys
got, old, new = (open(path, "rb").read() for path in sys.argv[2:])
assert len(got) == len(old) == len(new) == int(sys.argv[1])
step = 4096  # a page: the unit in which one version takes the place of the other
assert all(got[i:i + step] in (old[i:i + step], new[i:i + step]) for i in range(0, len(got), step))
P
done
# EIO in the middle of the source.
if command -v strace >/dev/null; then
  random_file "$t/f" 30000000
  for mode in --plain:sendfile "--plain --engine=readwrite:pread64" ":pread64"; do
    rm -f "$t/d/f"; start_recv ${mode%%:*} "$t/d"
    status_of strace -f -o "$t/trace" -P "$t/f" -e trace="${mode##*:}" -e inject="${mode##*:}":error=EIO:when=3 \
      "$ZSEND" ${mode%%:*} "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
    grep -q INJECTED "$t/trace" || fail "the fault did not fire"
    expect_status 6 "zsend with EIO ($mode)"; expect_in "$t/send.err" "Input/output error"
    wait_for "$recv"; expect_status 6 "zrecv with EIO ($mode)"; expect_in "$t/recv.err" "Input/output error"
    expect_only "$t/d" ""
  done
fi
