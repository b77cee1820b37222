# Sourced by the scripts about TLS records, after lib.sh. They run on every kernel: where it has TLS, both
# programs get --ktls=on and must show it, elsewhere they show the fallback and its reason.
# Sets $kernel_tls (yes|no), asked of the kernel itself; $on, the strongest --ktls that can be had here;
# and $tls, $tx, $rx, what the summaries must then say.
if python3 - <<'P' 2>/dev/null; then kernel_tls=yes; else kernel_tls=no; fi
import socket
with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as s:
    s.setsockopt(socket.IPPROTO_TCP, 31, b"tls")  # TCP_ULP
P
if [ $kernel_tls = yes ]; then on=--ktls=on tls=ktls tx=sendfile rx=splice
else on=--ktls=auto tls=user tx=readwrite rx=readwrite; fi
# Where a splice would lose what recvmsg has left of a record (common/net/ktls.cc).
case $(uname -r) in 5.1[0-5].*) rx=readwrite ;; esac
echo "kernel TLS: $kernel_tls"

mkdir -p "$t/d"
send_options=("$on") recv_options=("$on") proxy_options=() host=127.0.0.1
# begin push|pull FILE...: starts both programs, the sender connecting (push) or waiting; sets $send, $recv.
# The data go through tcp_proxy.py when proxy_options says what it shall do; rules say themselves whose bytes
# they are about, for the old form begin does.
begin() {
  local way=$1; shift
  rm -f "$t/send.json" "$t/recv.json"
  if [ "$way" = push ]; then
    start_recv "${recv_options[@]}" "$t/d"
    begin_proxy
    "$ZSEND" "${send_options[@]}" --json="$t/send.json" "$@" "zs://$host:$port" 2>"$t/send.err" & send=$!
    started+=("$send")
  else
    start_send "${send_options[@]}" "$@"
    begin_proxy listener
    "$ZRECV" "${recv_options[@]}" --json="$t/recv.json" "zs://$host:$port" "$t/d" 2>"$t/recv.err" & recv=$!
    started+=("$recv")
  fi
}
begin_proxy() {
  [ ${#proxy_options[@]} != 0 ] || return 0
  if [[ ${proxy_options[0]} == *=* ]]; then start_proxy "${proxy_options[@]}"; else start_proxy "${proxy_options[@]}" "$@"; fi
}
# end SEND_STATUS RECV_STATUS WHAT
end() {
  wait_for "$send"; local sent=$status
  wait_for "$recv"; local received=$status
  status=$sent; expect_status "$1" "zsend ($3)"
  status=$received; expect_status "$2" "zrecv ($3)"
  [ -z "${proxy:-}" ] || kill "$proxy" 2>/dev/null || true
}
# path_is FILE WORD=VALUE...: members of the "path" of the summary, of which there must be one.
path_is() {
  local file=$1 pair summary value; shift
  summary=$(grep '"event":"summary"' "$file") || fail "$file has no summary"
  [[ $summary != *$'\n'* ]] || fail "$file has several summaries: $summary"
  for pair in "$@"; do
    value="\"${pair%%=*}\":\"?([^\",}]*)"
    [[ $summary =~ $value ]] && [ "${BASH_REMATCH[1]}" = "${pair#*=}" ] || fail "$file: not $pair: $summary"
  done
}
# tls_counter NAME: of /proc/net/tls_stat; 0 where there is none. It counts for the whole network namespace.
tls_counter() { awk -v name="$1" '$1 == name {n = $2} END {print n + 0}' /proc/net/tls_stat 2>/dev/null || echo 0; }
# tls_sockets CIPHER: how many sockets of the two programs, with a proxy between them, the kernel does the
# TLS of, in both directions. It tells root only; the ss of Debian 12 has no name for ChaCha20.
tls_sockets() {
  ss -tinHO "( sport = :$port or dport = :$port or sport = :$behind or dport = :$behind )" |
    grep -cE "tcp-ulp-tls version: 1.3 (cipher: $1 )?rxconf: sw txconf: sw" || true
}
