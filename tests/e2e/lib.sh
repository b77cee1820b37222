# Sourced by every e2e script. Gives $t (scratch folder, kept on failure), the two programs, and verbs.
# A script is one behaviour; its name says which. Nothing here sleeps to synchronise: a listener is
# waited for by its "listening" event, a process by wait, anything else by until_true.
set -eu
: "${ZSEND:?}" "${ZRECV:?}"
t=$(mktemp -d "${TMPDIR:-/tmp}/zx-e2e.XXXXXX")
started=()
export XDG_CACHE_HOME=$t/cache  # what the programs remember of hosts
# What a script about both modes goes through, and how large its large files are: in the guest of tests/uml
# only TLS counts, and a byte costs fifty times as much.
if [ -z "${ZX_GUEST:-}" ]; then modes=("" --plain); large=100000000; else modes=(""); large=40000000; fi
# The leak checker traces the process, and so does strace: not both.
! grep -q 'strace ' "$0" || export ASAN_OPTIONS=detect_leaks=0

cleanup() {
  local status=$?
  for pid in "${started[@]:-}"; do [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  for mount in "$t"/mnt*; do mountpoint -q "$mount" 2>/dev/null && umount -l "$mount"; done
  if [ "$status" = 0 ] || [ "$status" = 77 ]; then rm -rf "$t"; else echo "kept: $t" >&2; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

skip() { echo "skip: $*"; exit 77; }
fail() { echo "FAIL: $*" >&2; for f in "$t"/*.err; do [ -e "$f" ] && { echo "--- $f"; cat "$f"; } >&2; done; exit 1; }

# until_true COMMAND...: polls a condition that something else makes true; fails after 30 s.
until_true() {
  local n=0
  until "$@"; do n=$((n + 1)); [ $n -lt 1500 ] || fail "never true: $*"; read -rt 0.02 <> <(:) || true; done
}

listening() { grep -q '"event":"listening"' "$1" 2>/dev/null; }
field() { sed -n "s/.*\"$2\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$1" | tail -1; }

# start_recv [OPTIONS...] [DST]: a listening zrecv in the background, at $listen_at or 127.0.0.1; sets $recv, $port and, when it
# made one, ZXFER_KEY. Its JSON is $t/recv.json, its messages $t/recv.err.
start_recv() { start_listener recv "$ZRECV" "$@"; }
# The same for zsend --listen.
start_send() { start_listener send "$ZSEND" "$@"; }
start_listener() {
  local name=$1 program=$2; shift 2
  rm -f "$t/$name.json"
  "$program" --listen "${listen_at:-127.0.0.1}:0" --json="$t/$name.json" "$@" >"$t/$name.out" 2>"$t/$name.err" &
  eval "$name=$!"
  started+=("$!")
  local pid=$!
  until_true eval "listening '$t/$name.json' || ! kill -0 $pid 2>/dev/null"
  listening "$t/$name.json" || fail "$name did not listen"
  port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' "$t/$name.json")
  local key; key=$(sed -n 's/.*"event":"listening".*"key":"\([^"]*\)".*/\1/p' "$t/$name.json")
  [ -z "$key" ] || export ZXFER_KEY=$key
}

# start_proxy ACTION OFFSET [SIDE], or start_proxy RULE...: tests/tools/tcp_proxy.py before $port, which
# becomes its own; the old one is in $behind.
start_proxy() {
  behind=$port
  : >"$t/proxy"
  python3 "$ZX_SOURCE_DIR/tests/tools/tcp_proxy.py" "$port" "$@" >"$t/proxy" 2>"$t/proxy.err" &
  proxy=$!; started+=("$proxy")
  until_true test -s "$t/proxy"
  port=$(head -1 "$t/proxy")
}
# proxy_did VERB [K]: a rule did something, to any connection or to number K, the first being 0.
proxy_did() { grep -q "^$1 at [0-9]* of connection ${2:-[0-9]*}\$" "$t/proxy"; }
# How many connections the proxy has taken.
connections() { grep -c '^connection' "$t/proxy"; }
# After start_proxy hold: the transfer is in its middle for as long as the receiver is stopped. To look for
# an event and then stop it would be a race with the transfer's end.
stop_in_the_middle() { until_true proxy_did hold; kill -STOP "$1"; kill -USR1 "$proxy"; }

# still_listens NAME WORDS...: a listener of start_listener has turned somebody away, says so with these words and
# goes on; then it is ended.
still_listens() {
  local name=$1 words; shift
  until_true grep -q 'turned away: ' "$t/$name.err"
  for words in "$@"; do
    grep 'turned away: ' "$t/$name.err" | grep -qF -- "$words" || fail "$name did not turn away: $words"
  done
  kill "${!name}" || fail "$name has ended"
  wait_for "${!name}"; expect_status 143 "$name, still listening"
  ! grep 'error: ' "$t/$name.err" | grep -vq 'interrupted by SIGTERM' || fail "$name has failed"
}

# status_of COMMAND...: runs it and sets $status, whatever it is.
status_of() { status=0; "$@" || status=$?; }
wait_for() { status=0; wait "$1" || status=$?; }
expect_status() { [ "$status" = "$1" ] || fail "${2:-it} ended with $status, not $1"; }
expect_same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }
expect_in() { grep -qF -- "$2" "$1" || fail "$1 does not say: $2"; }
# Nothing but the names given may be in a folder: no temporary file, no final name.
expect_only() {
  local dir=$1; shift
  local found wanted
  found=$(ls -A "$dir"); wanted=$(printf '%s\n' "$@" | sort)
  [ "$(printf '%s\n' "$found" | sort)" = "$wanted" ] || fail "$dir holds: $found"
}
random_file() { head -c "$2" /dev/urandom >"$1"; }
# In a network namespace: sockets of all that runs there hold little, so that little can be sent again.
small_sockets() { for name in rmem wmem; do echo 4096 65536 1048576 >/proc/sys/net/ipv4/tcp_$name; done; }
# may_come_again HOPS: bytes that may be sent again after a loss: what the sockets between the two programs hold, with
# HOPS TCP connections from one to the other, and the blocks of 1 MiB that are begun or verified at either end.
may_come_again() {
  local receive send; read -r _ _ receive </proc/sys/net/ipv4/tcp_rmem; read -r _ _ send </proc/sys/net/ipv4/tcp_wmem
  echo $(($1 * (receive + send) + (2 << 20)))
}
