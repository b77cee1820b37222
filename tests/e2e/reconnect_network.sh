# The network between the programs fails in the middle of a transfer: packets vanish, for a while or for good, the
# link goes down, the connector's address is another one afterwards. The listener is in a network namespace of its own
# and the connector in a second one; neither hears of anything but by silence.
[ -n "${IN_NETNS:-}" ] || {
  unshare --net true 2>/dev/null && PATH=$PATH:/usr/sbin command -v nft >/dev/null || { echo "skip: no network namespaces, or no nft"; exit 77; }
  exec env IN_NETNS=1 unshare --net bash "$0"
}
export PATH=$PATH:/usr/sbin:/sbin
. "$(dirname "$0")/lib.sh"
here=10.77.0.1 there=10.77.0.2 elsewhere=10.77.0.3 listen_at=$here size=12000000
unshare --net sleep infinity & far=$!; started+=("$far")
until_true eval '[ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
in_far() { nsenter --net=/proc/$far/ns/net "$@"; }
ip link set lo up; small_sockets; export -f small_sockets; in_far bash -c small_sockets
ip link add va type veth peer name vb netns "$far"; ip addr add $here/24 dev va; ip link set va up
in_far ip addr add $there/24 dev vb; in_far ip link set vb up
nft add table inet t && nft add chain inet t in '{ type filter hook input priority 0; }' &&
  nft add chain inet t out '{ type filter hook output priority 0; }' || skip "no packet filter in this kernel"
random_file "$t/f" $size

# begin push|pull OPTIONS...: a transfer of $size at 10 MB/s, whose bytes are counted where the content passes.
begin() {
  way=$1; shift
  rm -rf "$t/d" "$t"/*.json "$t"/*.err; mkdir "$t/d"; unset ZXFER_KEY
  if [ $way = push ]; then
    start_recv -v "$@" "$t/d"; direction=in
    in_far "$ZSEND" -v "$@" --bwlimit=10M --json="$t/send.json" "$t/f" "zs://$here:$port" 2>"$t/send.err" & send=$!; started+=("$send")
  else
    start_send -v "$@" "$t/f"; direction=out
    in_far "$ZRECV" -v "$@" --bwlimit=10M --json="$t/recv.json" "zs://$here:$port" "$t/d" 2>"$t/recv.err" & recv=$!; started+=("$recv")
  fi
  nft flush chain inet t in; nft flush chain inet t out
  if [ $way = push ]; then nft add rule inet t in tcp dport "$port" counter; else nft add rule inet t out tcp sport "$port" counter; fi
}
carried() { nft list chain inet t $direction | sed -n 's/.*counter packets [0-9]* bytes \([0-9]*\).*/\1/p'; }
carried_at_least() { [ "$(carried)" -ge "$1" ]; }
black_hole() { nft insert rule inet t in tcp dport "$port" drop; nft insert rule inet t out tcp sport "$port" drop; }
both_say() { grep -qF -- "$1" "$t/send.err" && grep -qF -- "$1" "$t/recv.err"; }
# ends STATUS... WHAT: both end with one of these.
ends() {
  local what=${*: -1} side
  for side in send recv; do
    wait_for "${!side}"; case " ${*:1:$#-1} " in *" $status "*) ;; *) fail "z$side ended with $status ($what)" ;; esac
  done
}
# Headers, and what TCP itself repeats, are 5 in 100.
all_well() {
  ends 0 "$1"; expect_same "$t/f" "$t/d/f"; expect_only "$t/d" f
  local side
  for side in send recv; do
    [ "$(field "$t/$side.json" reconnects)" -ge "$2" ] || fail "z$side counted $(field "$t/$side.json" reconnects) ($1)"
  done
  [ "$(carried)" -le $((size * 105 / 100 + $2 * $(may_come_again 1))) ] || fail "$(carried) bytes went over ($1)"
  echo "$1: $(carried) bytes for $size"
}

for way in push pull; do
  begin $way --timeout=6 --block-size=1M; until_true carried_at_least 4000000; black_hole
  until_true both_say "connection lost"
  nft delete rule inet t in handle "$(nft -a list chain inet t in | sed -n 's/.* drop # handle //p')"
  nft delete rule inet t out handle "$(nft -a list chain inet t out | sed -n 's/.* drop # handle //p')"
  all_well "a black hole that ends, $way" 1

  begin $way --timeout=2 --block-size=1M; until_true carried_at_least 4000000; black_hole; before=$SECONDS
  ends 5 10 "a black hole, $way"; expect_only "$t/d" ""
  [ $((SECONDS - before)) -le 6 ] || fail "a black hole took $((SECONDS - before)) s, $way"

  begin $way --timeout=6 --block-size=1M; until_true carried_at_least 4000000
  in_far ip addr add $elsewhere/24 dev vb; in_far ip addr del $there/24 dev vb
  # A later address of the same net goes with the first one, unless it is told to stay.
  in_far ip addr replace $elsewhere/24 dev vb
  all_well "another address, $way" 1
  in_far ip addr add $there/24 dev vb; in_far ip addr del $elsewhere/24 dev vb; in_far ip addr replace $there/24 dev vb
done

# Three times, and each time both notice it.
no_connection() { [ -z "$(ss -tnH state established "sport = :$port"; in_far ss -tnH state established "dport = :$port")" ]; }
begin push --timeout=3 --block-size=1M
for n in 1 2 3; do
  until_true carried_at_least $((n * 2000000)); ip link set va down; until_true no_connection
  ip link set va up; until_true both_say "connected again ($n time"
done
all_well "the link down, three times" 3
