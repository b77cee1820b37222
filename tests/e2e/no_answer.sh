# An address that swallows what is sent to it, as behind a firewall that drops: of several addresses of a host another
# one is taken at once, and of one alone nobody waits longer than asked by --wait or --timeout. In namespaces, with a
# device whose frames nobody takes and a file of hosts.
[ -n "${IN_NETNS:-}" ] || {
  unshare --net --mount true 2>/dev/null || { echo "skip: no namespaces"; exit 77; }
  exec env IN_NETNS=1 unshare --net --mount bash "$0"
}
export PATH=$PATH:/usr/sbin:/sbin
. "$(dirname "$0")/lib.sh"
ip link set lo up
ip link add nowhere type veth peer name wall 2>/dev/null || skip "no veth"
ip link set wall up
ip addr add 10.78.0.1/24 dev nowhere
ip addr add 2001:db8::1/64 dev nowhere nodad 2>/dev/null || skip "no IPv6"
ip link set nowhere up
for address in 10.78.0.2 2001:db8::2; do ip neigh add $address lladdr 02:00:00:00:00:01 dev nowhere; done
# IPv6 comes first (RFC 6724, 2.1).
printf '127.0.0.1 localhost twice\n2001:db8::2 twice\n' >"$t/hosts"; mount --bind "$t/hosts" /etc/hosts
[ "$(getent ahosts twice | awk 'NR == 1 {print $1}')" = 2001:db8::2 ] || skip "the name service does not look there"
both="-q --plain --no-auth"
random_file "$t/f" 1000; mkdir "$t/d"
took() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN {print to - from}'; }
between() { awk -v n="$1" -v least="$2" -v most="$3" 'BEGIN {exit !(n >= least && n <= most)}'; }

start_recv $both "$t/d"; begin=$EPOCHREALTIME
"$ZSEND" $both "$t/f" "zs://twice:$port" 2>"$t/send.err" || fail "zsend"
seconds=$(took $begin); wait_for "$recv"; expect_status 0 zrecv; expect_same "$t/f" "$t/d/f"
echo "the second address: $seconds s"; between "$seconds" 0.2 1 || fail "it took $seconds s"

# limited SECONDS OPTION...: so long it takes, beside the default of 10 s.
limited() {
  local seconds limit=$1 begin=$EPOCHREALTIME; shift
  status_of "$ZSEND" $both "$@" "$t/f" zs://10.78.0.2:7717 2>"$t/$limit.err"
  seconds=$(took "$begin"); expect_status 10 "zsend $*"; echo "$*: $seconds s"
  expect_in "$t/$limit.err" "10.78.0.2:7717: connect: Connection timed out after $limit s (is zrecv --listen 7717 running"
  between "$seconds" "$limit" $((limit + 1)) || fail "zsend $* took $seconds s"
}
limited 3 --wait=3 & cases=($!)
limited 2 --timeout=2 & cases+=($!)
# One that accepts and says nothing is no better.
coproc mute { exec python3 -uc 'import socket,sys
s=socket.socket(); s.bind(("127.0.0.1",0)); s.listen(); print(s.getsockname()[1]); sys.stdin.read()'; }
read -r port <&"${mute[0]}"; started+=("$mute_PID")
muted() {  # SECONDS OPTION...: so long it takes at least; an answer that is late has two seconds
  local seconds limit=$1 begin=$EPOCHREALTIME; shift
  status_of "$ZSEND" $both "$@" "$t/f" "zs://127.0.0.1:$port" 2>"$t/mute.$limit.err"
  seconds=$(took "$begin"); expect_status 10 "a mute listener, $*"; echo "mute, $*: $seconds s"
  between "$seconds" "$limit" 3 || fail "a mute listener took $seconds s with $*"
}
muted 2 --timeout=2 & cases+=($!)
muted 1 --wait=1 & cases+=($!)
for pid in "${cases[@]}"; do wait_for "$pid"; [ "$status" = 0 ] || fail "see above"; done
