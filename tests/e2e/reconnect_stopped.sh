# A program that is stopped for twice its --timeout (Ctrl-Z, a suspended machine) goes on afterwards, when the other
# one has more patience. Else the other one gives up in time, and so does the stopped one when it wakes; nothing is
# left. Each case is this script again, with a folder of its own, since all they do is wait.
if [ -z "${IN_NETNS:-}" ] && unshare --net true 2>/dev/null; then exec env IN_NETNS=1 unshare --net bash "$0"; fi
. "$(dirname "$0")/lib.sh"
if [ $# = 0 ]; then
  if [ -n "${IN_NETNS:-}" ]; then PATH=$PATH:/usr/sbin:/sbin ip link set lo up; small_sockets; fi
  cases=()
  for way in push pull; do
    for victim in send recv; do for patience in 60 4; do bash "$0" $way $victim $patience & cases+=($!); done; done
  done
  wrong=0
  for pid in "${cases[@]}"; do wait_for "$pid"; [ "$status" = 0 ] || wrong=1; done
  [ $wrong = 0 ] || fail "see above"
  exit 0
fi
way=$1 victim=$2 patience=$3 what="$1, z$2 stopped, patience of $3 s"
[ $victim = send ] && other=recv || other=send
size=20000000 send_timeout=4 recv_timeout=4
eval "${other}_timeout=$patience"
random_file "$t/f" $size; mkdir "$t/d"
if [ $way = push ]; then
  start_recv --timeout=$recv_timeout --block-size=1M "$t/d"; start_proxy hold=5000000,on=0
  "$ZSEND" --timeout=$send_timeout --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=("$send")
  from=connector
else
  start_send --timeout=$send_timeout --block-size=1M "$t/f"; start_proxy hold=5000000,on=0,from=listener
  "$ZRECV" --timeout=$recv_timeout --json="$t/recv.json" "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err" & recv=$!
  started+=("$recv")
  from=listener
fi
stop_in_the_middle "${!victim}"
begin=$SECONDS
if [ "$patience" = 4 ]; then
  wait_for "${!other}"; [ "$status" = 5 ] || expect_status 10 "z$other ($what)"
  # A silence of 1 s, 4 s of trying, and what a loaded machine needs.
  [ $((SECONDS - begin)) -le 9 ] || fail "it took $((SECONDS - begin)) s ($what)"
fi
# That is the case itself.
while [ $((SECONDS - begin)) -lt 8 ]; do read -rt 0.2 <> <(:) || true; done
kill -CONT "${!victim}"; begin=$SECONDS
if [ "$patience" = 4 ]; then
  wait_for "${!victim}"; [ "$status" = 5 ] || expect_status 10 "z$victim ($what)"
  [ $((SECONDS - begin)) -le 9 ] || fail "it took $((SECONDS - begin)) s after waking ($what)"
  expect_only "$t/d" ""
  exit 0
fi
wait_for "$send"; expect_status 0 "zsend ($what)"; wait_for "$recv"; expect_status 0 "zrecv ($what)"
expect_same "$t/f" "$t/d/f"; expect_only "$t/d" f
for side in send recv; do
  again=$(field "$t/$side.json" reconnects); [ "$again" -ge 1 ] || fail "z$side counted no reconnect ($what)"
done
over() { [ "$(grep -c "^passed from the $from" "$t/proxy")" = "$(connections)" ]; }
until_true over
carried=$(awk -v from="$from:" '/^passed/ && $4 == from {n += $5} END {print n}' "$t/proxy")
[ "$carried" -le $((size * 101 / 100 + again * $(may_come_again 2))) ] || fail "$carried bytes were sent for $size ($what)"
echo "$what: $carried bytes for $size, $again reconnects"
