# During the session: the key is nowhere to be seen; Ctrl-C, a dead ssh and a dead remote leave neither a
# temporary file nor a process; the remote's disk is full or read-only.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ssh.sh"
start_sshd box; random_file "$t/f" 30000000; mkdir "$t/box/d"
no_temp() { ! ls -A "$t/box/d" | grep -q .; }
# begin [OPTIONS...]: a push in the background that is in its session and takes long; $send, $ssh, its child, and
# $zrecv, what that has started. Who is left alone tries for two seconds to have its connection again.
begin() {
  rm -f "$t/send.json"
  "$ZSEND" -F "$ssh_config" -v --timeout=2 --bwlimit=1M --json="$t/send.json" "$@" "$t/f" box:d 2>"$t/send.err" & send=$!; started+=($send)
  until_true eval "grep -q '\"event\":\"connected\"' '$t/send.json' 2>/dev/null"
  until_true eval '! no_temp'
  ssh=$(cat "/proc/$send"/task/*/children); ssh=${ssh%% *}
  zrecv=$(remote box); [ -n "$zrecv" ] || fail "no remote program"
}
# Ended, though perhaps nobody has waited for it.
gone() { ! grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; }
# ended STATUS WHAT: and nothing of it is left.
ended() {
  wait_for "$send"
  case " $1 " in *" $status "*) ;; *) fail "$2 ended with $status, not $1" ;; esac
  until_true remote_gone; until_true no_temp
  until_true gone "$ssh"
}
# Also when its sshd has ended, and it is nobody's.
remote_gone() { local pid; nothing_left box || return 1; for pid in $zrecv; do gone "$pid" || return 1; done; }
for via in auto ssh; do
  begin --via=$via
  # All processes of this session, here and there: arguments, environment.
  seen=0
  for pid in $(descendants "$send") $(descendants "$box_pid"); do
    tr '\0' '\n' <"/proc/$pid/cmdline" >"$t/seen" 2>/dev/null || continue
    ! grep -q zk1_ "$t/seen" || fail "the key is in the arguments of $pid"
    ! grep -q 'zxfer-start' "$t/seen" || fail "the request is in the arguments of $pid"
    ! tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -q zk1_ || fail "the key is in the environment of $pid"
    ! grep -q -- '--remote' "$t/seen" || seen=$((seen + 1))
  done
  [ $seen -ge 2 ] || fail "did not look at ssh and the remote program"  # as root, at their environment too
  grep -q 'Starting session' "$t/box.log" && grep -q debug3 "$t/box.log" || fail "sshd's log does not say much"
  ! grep -q zk1_ "$t/box.log" "$t/send.err" "$t/send.json" || fail "the key is in a log"
  kill -INT "$send"; ended 130 "Ctrl-C ($via)"
  begin --via=$via; kill -TERM "$send"; ended 143 "TERM ($via)"
  begin --via=$via; kill -9 "$send"; ended 137 "kill -9 ($via)"
  # Nothing can run there then, so the temporary file stays; but no final name.
  begin --via=$via; kill -9 $(remote box); until_true gone "$send"; [ ! -e "$t/box/d/f" ] || fail "committed"; rm -f "$t/box/d"/.zrecv-*
  ended 5 "the remote is killed ($via)"; grep -q 'zsend: error: ' "$t/send.err" || fail "no message"
  begin --via=$via; kill -TERM $(remote box); ended "5 143" "the remote is ended ($via)"
done
# The ssh process alone, by its id: what it carries ends; the data's own connection may go on to its end.
begin --via=ssh; kill -9 "$ssh"; ended 5 "ssh is killed, with the data"
head -c 3000000 "$t/f" >"$t/g"; mv "$t/g" "$t/f"
begin --via=direct; kill -9 "$ssh"; wait_for "$send"; until_true remote_gone
if [ "$status" = 0 ]; then expect_same "$t/f" "$t/box/d/f"; else expect_status 5 "ssh is killed, beside the data"; no_temp || fail "a temporary file stayed"; fi
rm -f "$t/box/d/f"

if [ "$(id -u)" = 0 ] && mkdir "$t/mnt1" "$t/mnt2" && mount -t tmpfs -o ro tmpfs "$t/mnt1" 2>/dev/null && mount -t tmpfs -o size=1m tmpfs "$t/mnt2"; then
  status_of "$ZSEND" -F "$ssh_config" "$t/f" "box:$t/mnt1/x" 2>"$t/send.err"
  expect_status 6 "read-only"
  expect_in "$t/send.err" "$t/mnt1"
  expect_in "$t/send.err" "Read-only"
  status_of "$ZSEND" -F "$ssh_config" "$t/f" "box:$t/mnt2" 2>"$t/send.err"
  expect_status 7 "a full disk"
  expect_in "$t/send.err" "$t/mnt2/f"
  expect_in "$t/send.err" "No space left"
  expect_only "$t/mnt2" ""
fi
until_true nothing_left box
