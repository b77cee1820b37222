# What may go wrong before the session: noise of start-up files, a missing program, one of another version, one
# that is something else, hosts that would be options or commands of somebody.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ssh.sh"
start_sshd box; random_file "$t/f" 100000
# push STATUS WHAT [OPTIONS...]
push() {
  local wanted=$1 what=$2; shift 2
  rm -f "$t/box/got"
  status_of timeout 60 "$ZSEND" -F "$ssh_config" "$@" "$t/f" box:got 2>"$t/send.err"
  expect_status "$wanted" "$what"
  if [ "$wanted" = 0 ]; then expect_same "$t/f" "$t/box/got"; else [ ! -e "$t/box/got" ] || fail "$what: something was committed"; fi
  ! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$t/send.err" || fail "$what: raw controls on the terminal"
  ! grep -q zk1_ "$t/send.err" || fail "$what: the key is shown"
  until_true nothing_left box
}
rc=$t/box/.bashrc
says() { expect_in "$t/send.err" "$1"; }

echo 'printf "Welcome\n\033[2J\a to the machine, with no end"; echo "and an error" >&2' >"$rc"
push 0 "noise" -v
says "Welcome"; says '\x1b[2J'; says "and an error"
echo 'for i in 0 00000000000000000000000000000000 ${NONCE-}; do echo "zxfer-ready 2 $i 1 127.0.0.1"; echo "zxfer-error 2 $i 9 no"; done' >"$rc"
push 0 "a ready line of somebody else"
echo 'head -c 60000 /dev/zero | tr "\0" x' >"$rc"; push 0 "60000 bytes"
echo 'head -c 10000000 /dev/zero | tr "\0" x' >"$rc"; push 4 "10 MB"; says "64 KiB"
echo 'yes' >"$rc"; push 4 "endless"; says "64 KiB"
echo 'yes noise >&2' >"$rc"
push 10 "endless errors" --timeout=1
[ "$(wc -l <"$t/send.err")" -lt 250 ] || fail "$(wc -l <"$t/send.err") lines of it are shown"
echo 'exit 3' >"$rc"; push 4 "the shell ends"; says "3"
rm "$rc"

mv "$t/box/bin/zrecv" "$t/box/other"
push 5 "no program"; says "zrecv is not installed on 'box'"; says "--remote-program"; says "install"
push 5 "another that is not there" --remote-program=/none/x
touch "$t/box/bin/zrecv"; push 5 "not executable"
push 0 "named" --remote-program=./other
push 2 "an option as program" --remote-program=-x

# wrapper NAME LINES: in the place of zrecv. $real is the right one.
wrapper() { rm -f "$t/box/bin/zrecv"; { printf '#!/bin/bash\nreal=%q\n' "$t/box/other"; printf '%s\n' "$@"; } >"$t/box/bin/zrecv"; chmod 755 "$t/box/bin/zrecv"; }
wrapper 'while read -r a b; do [ "$a" != nonce ] || nonce=$b; [ "$a" != end ] || break; done; echo "zxfer-ready 9 $nonce 1 -"; cat >/dev/null'
push 4 "another version there"; says "version 9"; says "version 2"
wrapper 'sed -u "1s/ .*/ 9/" | "$real" "$@"'
push 4 "a version that it does not know"; says "version 9"
wrapper 'exec cat'; push 10 "one that repeats what it gets" -v --timeout=1
wrapper 'echo "zrecv: no such option" >&2; exit 2'; push 4 "an older one"; says "no such option"
wrapper 'kill -9 $$'; push 5 "one that is killed"
wrapper 'exec "$0/../../other" "$@"'
rm "$t/box/bin/zrecv"
ln -s "$ZSEND" "$t/box/bin/zrecv"
push 4 "the wrong one of the two"
rm "$t/box/bin/zrecv"; ln -s "$ZRECV" "$t/box/bin/zrecv"

# ssh itself: it does not get there, it is killed, there is none.
for how in "-o Port=1" "-o UserKnownHostsFile=/dev/null" "-o PubkeyAuthentication=no"; do push 5 "$how" $how; says "'box': ssh failed"; done
printf '#!/bin/bash\nkill -9 $$\n' >"$t/killed"
chmod 755 "$t/killed"
push 5 "ssh is killed" -S "$t/killed"
says SIGKILL
push 5 "no ssh" -S "$t/none"; says "$t/none"

# Never started for what is no host.
printf '#!/bin/bash\necho "$*" >>%q\nexit 255\n' "$t/trace" >"$t/traced"; chmod 755 "$t/traced"
for host in -oProxyCommand=x -x 'a;b' 'a$(x)' 'a`b`' 'a b' $'a\nb' $'a\x01b' 'a|b' 'a&b' "a'b" 'a"b' 'a<b' 'a\b' '*' 'u;x@h' '-u@h' 'u@-h' $'u\n@h' '$(x)@h' '@h'; do
  for operand in "$host:x" "ssh://$host/x"; do
    status_of timeout 20 "$ZSEND" -S "$t/traced" -- "$t/f" "$operand" 2>"$t/send.err"; expect_status 2 "zsend $operand"
    status_of timeout 20 "$ZRECV" -S "$t/traced" -- "$operand" "$t/d" 2>"$t/recv.err"; expect_status 2 "zrecv $operand"
    [ "$(wc -l <"$t/send.err")" = 1 ] && [ "$(wc -l <"$t/recv.err")" = 1 ] || fail "not one line: $operand"
  done
done
[ ! -e "$t/trace" ] || fail "ssh was started: $(cat "$t/trace")"
status_of "$ZSEND" -S "$t/traced" "$t/f" good:x 2>/dev/null; expect_status 5; [ -s "$t/trace" ] || fail "not even for a good one"
expect_nothing_run
