# The data's own connection is blocked: the other side connects back; when that is blocked too the data goes
# through ssh; --via forces one. In a network namespace, where ports of a range are taken in their order: the
# first is the remote's, the second is for connecting back.
[ -n "${IN_NETNS:-}" ] || {
  unshare --net true 2>/dev/null && PATH=$PATH:/usr/sbin command -v nft >/dev/null || { echo "skip: no network namespaces, or no nft"; exit 77; }
  exec env IN_NETNS=1 unshare --net bash "$0"
}
export PATH=$PATH:/usr/sbin:/sbin
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ssh.sh"
ip link set lo up
start_sshd box; random_file "$t/f" 3000001; cp "$t/f" "$t/box/src"; range=40000-40001
# blocked WORD PORT...: WORD is drop or reject.
blocked() {
  local how=$1 port; shift; [ "$how" != reject ] || how="reject with tcp reset"
  nft flush ruleset
  nft add table inet t
  nft add chain inet t in '{ type filter hook input priority 0; }' || skip "no packet filter in this kernel"
  for port in "$@"; do nft add rule inet t in tcp dport "$port" $how || fail "nft"; done
}
# go WAY STATUS [OPTIONS]: push and pull; both take WAY, or both end with STATUS and leave nothing. What was found out
# before is forgotten, but with $remembers.
remembers=
go() {
  local way=$1 wanted=$2; shift 2
  rm -f "$t/box/got" "$t/got" "$t"/[sr]*.json
  [ -n "$remembers" ] || rm -rf "$XDG_CACHE_HOME"
  status_of timeout 60 "$ZSEND" -F "$ssh_config" -v --port-range=$range "$@" --json="$t/send.json" "$t/f" box:got 2>"$t/send.err"
  expect_status "$wanted" "push ($way, $*)"
  [ -n "$remembers" ] || rm -rf "$XDG_CACHE_HOME"
  status_of timeout 60 "$ZRECV" -F "$ssh_config" -v --port-range=$range "$@" --json="$t/recv.json" box:src "$t/got" 2>"$t/recv.err"
  expect_status "$wanted" "pull ($way, $*)"
  until_true nothing_left box
  if [ "$wanted" = 0 ]; then
    expect_same "$t/f" "$t/box/got"; expect_same "$t/f" "$t/got"
    for side in send recv; do
      [ "$(field "$t/$side.json" via)" = "$way" ] || fail "$side: not by $way: $(tail -1 "$t/$side.json")"
    done
  else
    [ ! -e "$t/got" ] && [ ! -e "$t/box/got" ] || fail "something was committed"
  fi
  ! ls -A "$t" "$t/box" | grep -q '^\.zrecv' || fail "a temporary file stayed"
}
blocked drop; go direct 0; ! grep -q 'through ssh\|blocked' "$t/send.err" || fail "speaks of a fallback"
go ssh 0 --via=ssh
for how in drop reject; do
  [ $how = drop ] && why="Connection timed out\|timed out" || why="Connection refused"
  blocked $how 40000; go back 0
  for side in send recv; do
    grep "data over a connection from the other side: .*40000" "$t/$side.err" | grep -q "$why" || fail "$side does not say why ($how): $(cat "$t/$side.err")"
  done
  # What costs time in every run is said without -v, once, and not what costs none.
  lost=$(grep -c 's lost; --via=ssh or --port-range avoids that' "$t/send.err" || true)
  [ "$lost" = $([ $how = drop ] && echo 1 || echo 0) ] || fail "blocked by $how: $lost lines about it"
  blocked $how 40000 40001; go ssh 0
  [ $how = reject ] || {
    rm -rf "$XDG_CACHE_HOME"
    status_of timeout 60 "$ZSEND" -F "$ssh_config" --port-range=$range "$t/f" box:got 2>"$t/quiet.err"
    expect_status 0
    grep -qE 'data goes through ssh: the ports are blocked \([6-9] s lost; --via=ssh or --port-range avoids that\)' "$t/quiet.err" &&
      [ "$(wc -l <"$t/quiet.err")" = 1 ] || fail "not this one line: $(cat "$t/quiet.err")"
  }
  for side in send recv; do
    grep "data through ssh: .*40000.*; .*40001" "$t/$side.err" | grep -q "$why" || fail "$side does not say why ($how): $(cat "$t/$side.err")"
    grep -q '"why":\[.*data through ssh' "$t/$side.json" || fail "$side: not in the summary"
  done
  go none 5 --via=direct
  for side in send recv; do
    grep -q "error: 'box': .*--via=direct: .*40000.*40001" "$t/$side.err" || fail "$side: --via=direct does not say why: $(cat "$t/$side.err")"
  done
done
# A host whose firewall drops is remembered: the next run takes the way that worked then, at once, and -v says why; so
# does JSON. After a day, and by --via=direct, the ports are tried again.
remembered() { find "$XDG_CACHE_HOME/zsend" -name 'blocked-*' 2>/dev/null; }
quick() {  # WAY [OPTIONS]: push and pull, without what waiting for a firewall takes
  local begun=$EPOCHREALTIME
  go "$1" 0 "${@:2}"
  awk -v from="$begun" -v to="$EPOCHREALTIME" 'BEGIN {exit !(to - from < 3)}' ||
    fail "waits for the firewall: $(cat "$t/send.err")"
}
rm -rf "$XDG_CACHE_HOME"; remembers=1
blocked drop 40000 40001
status_of timeout 60 "$ZSEND" -F "$ssh_config" --port-range=$range "$t/f" box:got 2>"$t/send.err"
expect_status 0
[ "$(remembered | wc -l)" = 1 ] || fail "not remembered, or more than once: $(remembered)"
[ "$(stat -c %a "$XDG_CACHE_HOME" "$XDG_CACHE_HOME/zsend" "$(remembered)" | tr '\n' ' ')" = '700 700 600 ' ] ||
  fail "its rights"
quick ssh
for side in send recv; do
  expect_in "$t/$side.err" "data goes through ssh: the ports were blocked 0 min ago (--via=direct tries them)"
done
grep -q '"why":\[.*the ports were blocked' "$t/send.json" || fail "not in the summary"
nft flush ruleset; quick ssh  # it is a day's knowledge, not a look
range=40000-40002; go direct 0; range=40000-40001  # of these ports nothing is known
touch -d '25 hours ago' "$(remembered)"
go direct 0
[ -z "$(remembered)" ] || fail "remembered for more than a day"
blocked drop 40000; go back 0; [ "$(cat "$(remembered)")" = back ] || fail "the way back is not remembered"
quick back; expect_in "$t/send.err" "the ports were blocked 0 min ago"
record=$(remembered)
nft add rule inet t in tcp dport 40001 reject with tcp reset; go ssh 0  # what has worked is shut now
[ "$(cat "$record")" = ssh ] || fail "a way that is shut is remembered"
nft flush ruleset; echo nonsense >"$record"; go direct 0; [ ! -e "$record" ] || fail "nonsense is kept"
printf ssh >"$record"
quick ssh
go direct 0 --via=direct
[ -z "$(remembered)" ] || fail "--via=direct does not forget"
# Where it cannot be written nothing is said; what others can write is not believed.
rm -rf "$XDG_CACHE_HOME"
touch "$XDG_CACHE_HOME"
blocked drop 40000
go back 0
! grep -i "cache\|blocked-" "$t/send.err" || fail "speaks of what it could not remember"
nft flush ruleset
rm -f "$XDG_CACHE_HOME"
mkdir -p "$XDG_CACHE_HOME/zsend"
printf ssh >"$record"
chmod 777 "$XDG_CACHE_HOME/zsend"
go direct 0
rm -rf "$XDG_CACHE_HOME"; remembers=
# A firewall that rejects in its other way is not a host without a route: without ssh that is asked.
nft flush ruleset; nft add table inet t; nft add chain inet t in '{ type filter hook input priority 0; }'
nft add rule inet t in tcp dport 40000 reject with icmpx type admin-prohibited
status_of timeout 60 "$ZSEND" --plain --no-auth "$t/f" zs://127.0.0.1:40000 2>"$t/send.err"; expect_status 5
expect_in "$t/send.err" "No route to host (is zrecv --listen 40000 running there, or busy? does a firewall let it through?"
# Ports of the range that are taken already are passed over; when all are, the other side's error says so.
nft flush ruleset
hold() { # PORT...: listens on them until this script ends
  rm -f "$t/held"
  python3 -c 'import socket, sys, signal
held = [socket.create_server(("::", int(p)), family=socket.AF_INET6, dualstack_ipv6=True) for p in sys.argv[1:]]
print("held", flush=True); signal.pause()' "$@" >"$t/held" & started+=($!)
  until_true test -s "$t/held"
}
hold 40000; go direct 0; expect_in "$t/send.err" 127.0.0.1:40001; expect_in "$t/recv.err" 127.0.0.1:40001
hold 40001; go none 5; for side in send recv; do expect_in "$t/$side.err" 40000-40001; done
