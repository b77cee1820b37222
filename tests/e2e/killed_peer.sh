# Killed with -9 in the middle, either side: the other tries for its time-out, ends with 5, and nothing is under
# the final name.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" $large
for mode in "${modes[@]}"; do
  for victim in send recv; do
    patience=(--timeout=60 --timeout=60)
    [ $victim = send ] && patience[1]=--timeout=2 || patience[0]=--timeout=2
    start_recv -q $mode "${patience[1]}" "$t/d"; start_proxy hold 5000000
    "$ZSEND" -q $mode "${patience[0]}" --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
    started+=($send)
    stop_in_the_middle "$recv"           # the sender now waits in its send
    if [ $victim = send ]; then
      kill -9 "$send"; wait_for "$send"; kill -CONT "$recv"; wait_for "$recv"
      expect_status 5 "zrecv $mode"
      expect_in "$t/recv.err" "error:"; expect_in "$t/recv.err" "not made again within 2 s"
      expect_only "$t/d" ""
    else
      kill -9 "$recv"; wait_for "$send"
      expect_status 5 "zsend $mode"
      expect_in "$t/send.err" "error:"; expect_in "$t/send.err" "not made again within 2 s"
      [ ! -e "$t/d/f" ] || fail "the final name exists"
      rm -f "$t"/d/.zrecv-*              # kill -9 leaves it: nothing could run
    fi
  done
done
