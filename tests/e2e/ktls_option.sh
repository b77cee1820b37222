# --ktls=on is kernel TLS or status 3 with the reason, before anyone is connected to; auto falls back, and
# says why with -v and in --json. Where this runs as root also for a user whose request does not make the
# kernel load its module, before and after it was loaded.
. "$(dirname "$0")/lib.sh"
mkdir -m 777 "$t/d"; chmod 777 "$t"; random_file "$t/f" 3000001; chmod 644 "$t/f"
cp "$ZSEND" "$ZRECV" "$t/"  # readable by everyone, whatever folder they came from
# as USER: the programs, and the question to the kernel, by that user.
as() {
  local change=
  [ "$1" = me ] || change='setpriv --reuid=65534 --regid=65534 --clear-groups'
  ZSEND=$t/zsend-$1 ZRECV=$t/zrecv-$1
  for p in zsend zrecv; do printf '#!/bin/sh\nexec %s %s "$@"\n' "$change" "$t/$p" >"$t/$p-$1"; chmod 755 "$t/$p-$1"; done
  if $change python3 - <<'P' 2>/dev/null; then kernel_tls=yes; else kernel_tls=no; fi
import socket
with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as s:
    s.setsockopt(socket.IPPROTO_TCP, 31, b"tls")  # TCP_ULP
P
}
go() {  # OPTION: a transfer with it on both sides
  rm -f "$t/d/f" "$t/send.json"
  start_recv -v "$1" --tls-cipher=aes128 "$t/d"
  status_of "$ZSEND" -v "$1" --tls-cipher=aes128 --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "zsend $1"; wait_for "$recv"; expect_status 0 "zrecv $1"; expect_same "$t/f" "$t/d/f"
}
expect_tls() { [ "$(field "$t/send.json" tls)" = "$1" ] && [ "$(field "$t/recv.json" tls)" = "$1" ] || fail "not $1: $(tail -1 "$t/send.json")"; }
# The driver that serves gcm(aes), listed once it is in use: the one with the highest priority. Since 7.x one
# driver has the CPU's instructions and the C code.
generic_aes() {
  awk '$1 == "name" {n = $3} $1 == "driver" {d = $3} $1 == "priority" && n == "gcm(aes)" && $3 + 0 >= p + 0 {p = $3; best = d}
    END {exit best ~ /-lib$/ ? system("grep -qwE \"aes\" /proc/cpuinfo && grep -qwE \"pclmulqdq|pmull\" /proc/cpuinfo") == 0 : best !~ /aes-generic|ghash-generic/}' /proc/crypto
}
users=me
[ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null || users="nobody me nobody"
for user in $users; do
  unset ZXFER_KEY; as $user
  if [ $kernel_tls = yes ]; then
    go --ktls=on; expect_tls ktls; expect_in "$t/send.err" "kernel TLS"
  else
    status_of "$ZSEND" --ktls=on "$t/f" zs://127.0.0.1:1 2>"$t/send.err"; expect_status 3 "zsend --ktls=on"
    status_of timeout 20 "$ZRECV" --ktls=on --listen 127.0.0.1:0 "$t/d" 2>"$t/recv.err"
    expect_status 3 "zrecv --ktls=on"
    for side in send recv; do expect_in "$t/$side.err" "the kernel has no TLS"; done
    # With a listener that could do without: it is not even connected to.
    rm -f "$t/d/f"; start_recv -q "$t/d"
    status_of "$ZSEND" --ktls=on "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 3
    kill "$recv"; wait_for "$recv"; expect_status 143 "a listener that nobody has reached"
    ! grep -q '"event":"connected"' "$t/recv.json" || fail "the listener was reached"
    expect_only "$t/d" ""
  fi
  go --ktls=auto
  if [ $kernel_tls = no ]; then why="the kernel has no TLS"
  elif generic_aes; then why="the kernel's AES is the generic C code"
  else why=; fi
  echo "$user: kernel TLS: $kernel_tls${why:+; auto: $why}"
  if [ -z "$why" ]; then expect_tls ktls; continue; fi
  expect_tls user
  for side in zsend zrecv; do
    expect_in "$t/send.json" "$side: TLS in user space: $why"; expect_in "$t/recv.json" "$side: TLS in user space: $why"
    expect_in "$t/send.err" "$side: TLS in user space: $why"
  done
done
