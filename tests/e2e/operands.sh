# Operands that are not meant so: each message has the next step, all bad ones are named at once, and one that
# cannot be sent does not keep the others from going.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ssh.sh"
start_sshd box; cd "$t"; mkdir d dir box/in; echo a >a.txt; echo b >b.txt; echo x >'q:r'
send() { status_of timeout 60 "$ZSEND" -F "$ssh_config" "$@" 2>send.err; }
recv() { status_of timeout 60 "$ZRECV" -F "$ssh_config" "$@" 2>recv.err; }
# says PROGRAM STATUS WORDS [OPERANDS...]
says() {
  local program=$1 wanted=$2 words=$3; shift 3
  $program "$@"; expect_status "$wanted" "$program $*"; [ -z "$words" ] || expect_in "$program.err" "$words"
}
# One that cannot be sent, by any of its ways, and the others go.
says send 23 "'missing1': open: No such file" missing1 a.txt dir . .zrecv-x missing2 b.txt box:in/
for words in "'dir': is a directory, not a file (-r sends it with all that is below it)" "'.': is a directory" ".zrecv-x" "'missing2': open"; do
  expect_in send.err "$words"
done
expect_same a.txt box/in/a.txt; expect_same b.txt box/in/b.txt; expect_only box/in a.txt b.txt
says send 6 "'missing1': open: No such file or directory; 'missing2': open: No such file or directory; 'dir'" missing1 missing2 dir box:in/
says recv 23 "'missing': open: No such file" box:missing box:in/a.txt box:in box:in/b.txt d
expect_only d a.txt b.txt
# The other direction, the other program; a port; another URL.
says send 2 "is on another machine, from where zrecv fetches: zrecv box:in/a.txt ." box:in/a.txt .
says send 2 "zrecv zs://box/x 'a b'" zs://box/x 'a b'
says recv 2 "is on another machine, to where zsend sends: zsend a.txt box:" a.txt box:
says recv 2 "'a.txt', 'b.txt': a source must be" box:in/a.txt a.txt b.txt d
says send 2 "'q:r', 'q:s': a source is a local file (one with a colon is written ./NAME)" a.txt q:r q:s box:
for url in https://box/x scp://box/x ZS://box zs:/box; do
  says send 2 "did you mean" a.txt "$url"; says recv 2 "did you mean" "$url" d
done
says send 0 "note: '7717' is the name of a file on 'box'; a zrecv or zsend that listens there is zs://box:7717" a.txt box:7717
expect_same a.txt box/7717
says recv 0 "zs://box:7717" box:7717 d
says send 0 "" a.txt box:in/; [ ! -s send.err ] || fail "says something: $(cat send.err)"
# What a shell there would expand.
for path in 'in/*.txt' '~root/x' '$HOME/x'; do says recv 6 "(names are taken as they are" "box:$path" d; done
says send 6 "(names are taken as they are" a.txt 'box:~nobody/x'
says recv 6 "'plain': open: No such file or directory" box:plain d
! grep -q 'taken as they are' recv.err || fail "a remark about nothing"
# Habits of scp and rsync; what is empty; a stream without a name.
for option in -R --recursive; do
  says send 2 "$option: no such option (-r sends a directory" $option dir box:
done
says send 2 "ssh's port is -P 2222" -p2222 a.txt box:
says send 2 "argument 4 is empty" a.txt "" box:; says recv 2 "argument 5 is empty" -q box:x ""
says send 0 "note: what comes is called 'stdin' there; --name NAME gives it a name" --exec 'echo hello' box:
[ "$(cat box/stdin)" = hello ] || fail "--exec"
for named in "--name x box:" "box:y"; do
  says send 0 "" --exec 'echo hello' $named; [ ! -s send.err ] || fail "a note about a name: $(cat send.err)"
done
# A pipeline fails when one of its parts does, and nothing of it is committed.
says send 11 "ended with status 1" --exec 'false | cat' box:half
[ ! -e box/half ] || fail "half of it was committed"
says recv 11 "ended with status 3" --exec 'cat >got | sh -c "exit 3" | cat' box:in/a.txt
# Without bash the last command's status is all there is, and a line says so. The root of this has no bash.
if unshare --mount true 2>/dev/null && [ "$(id -u)" = 0 ]; then
  cat >without.sh <<'N'
for shell in /bin/bash /usr/bin/bash /usr/local/bin/bash; do
  [ ! -e "$shell" ] || mount --bind /dev/null "$shell"
done
exec "$@"
N
  send() { status_of timeout 60 unshare --mount sh ./without.sh "$ZSEND" -S ./ssh.sh "$@" 2>send.err; }
  printf '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\ncd box; PATH=$PWD/bin:$PATH\nexec sh -c "$3"\n' >ssh.sh
  chmod +x ssh.sh
  note="of the commands in --exec only the last one's status counts, because bash is not installed here"
  says send 0 "$note" --exec 'false | cat' box:half
  for quiet in "printf 'a|b'" 'echo "a|b" \| c' 'true || false'; do
    says send 0 "" --exec "$quiet" box:half; ! grep -q "$note" send.err || fail "a note about $quiet"
  done
fi
until_true nothing_left box
