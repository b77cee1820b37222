# The start by ssh with a program in ssh's place (-S): what it is called with, and each way in which it can go
# wrong. That ssh itself does its part is shown by the scripts with a private sshd.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d" "$t/home"
random_file "$t/f" 300000
# Called as ssh is. With -G it says where it would go; else it is the remote shell, with a home of its own,
# and does first what $t/shell says.
cat >"$t/ssh" <<EOF
#!/bin/bash
case " \$* " in *" -G "*) echo user x; echo hostname 127.0.0.1; exit;; esac
{ printf '%s\n' "\$@"; } >"$t/argv"
tr '\0' '\n' </proc/self/environ >"$t/environ"
export SSH_CONNECTION="127.0.0.1 50000 127.0.0.1 22" PATH="$t/bin:\$PATH" ASAN_OPTIONS="${ASAN_OPTIONS:-}"
cd "$t/home"
. "$t/shell"
while [ "\$1" != -- ]; do shift; done
exec sh -c "\$3"
EOF
chmod +x "$t/ssh"; : >"$t/shell"
mkdir "$t/bin"; ln -s "$ZSEND" "$ZRECV" "$t/bin"
push() { status_of timeout 30 "$ZSEND" -S "$t/ssh" --json="$t/s.json" "$@" 2>"$t/s.err"; }
pull() { status_of timeout 30 "$ZRECV" -S "$t/ssh" --json="$t/r.json" "$@" 2>"$t/r.err"; }
via() { sed -n 's/.*"event":"summary".*"via":"\([a-z]*\)".*/\1/p' "$1"; }

# What it is called with: one constant command, the path nowhere, nothing secret.
push -oA=b -i id -P 99 "$t/f" "me@box:a b;c"; expect_status 0; expect_same "$t/f" "$t/home/a b;c"
printf '%s\n' -x -oPermitLocalCommand=no -oClearAllForwardings=yes -oForwardAgent=no -oRemoteCommand=none -oRequestTTY=no \
  -o A=b -i id -p 99 -- me@box 'zrecv --remote' >"$t/wanted"
expect_same "$t/argv" "$t/wanted"
[ "$(via "$t/s.json")" = direct ] || fail "not directly"
[ ! -s "$t/s.err" ] || fail "it says something"
grep -q zk1_ "$t/argv" "$t/environ" "$t/s.json" && fail "the key is in sight"
ZXFER_KEY=secret push "$t/f" box:x; expect_status 0; grep -q ZXFER_KEY "$t/environ" && fail "ssh inherits ZXFER_KEY"

# The ways of the data, both directions. Names of a pull are the ones asked for, in their order.
cp "$t/f" "$t/home/one"; echo two >"$t/home/-two '"
for way in auto direct ssh; do
  push --via=$way "$t/f" box:new
  expect_status 0 "push $way"
  expect_same "$t/f" "$t/home/new"
  rm "$t/home/new"
  pull --via=$way box:one "box:-two '" "$t/d"; expect_status 0 "pull $way"
  expect_same "$t/home/one" "$t/d/one"; expect_same "$t/home/-two '" "$t/d/-two '"; rm "$t"/d/*
  for json in "$t/s.json" "$t/r.json"; do
    [ "$(via "$json")" = "${way/auto/direct}" ] || fail "$way went $(via "$json")"
  done
done
expect_in "$t/s.json" '"why":["data through ssh: --via=ssh"]'

# Errors of the other end: its file, its status, on this side; nothing of its own on stderr.
push "$t/f" box:no/such; expect_status 6; expect_in "$t/s.err" "'no': open directory: No such file"
pull box:missing "$t/d"; expect_status 6; expect_in "$t/r.err" "'missing': open: No such file"
[ "$(wc -l <"$t/r.err")" = 1 ] || fail "more than one line"

# A shell that prints: before, without a line end, a ready line that is not ours, on stderr too.
cat >"$t/shell" <<'EOF'
echo "welcome; zxfer-ready 2 00112233445566778899aabbccddeeff 1 127.0.0.1"
echo zxfer-ready 2 00112233445566778899aabbccddeeff 1 127.0.0.1
printf '\033]0;title\007'
printf 'on stderr \033[2J\n' >&2
EOF
for way in direct ssh; do
  push --via=$way "$t/f" box:new; expect_status 0 "noise, $way"; expect_same "$t/f" "$t/home/new"
done
expect_in "$t/s.err" 'zsend: ssh: on stderr \x1b[2J'
push -v "$t/f" box:new; expect_status 0; expect_in "$t/s.err" "'box' prints: welcome;"
LC_ALL=C grep -q $'\033' "$t/s.err" && fail "an escape sequence reaches the terminal"
push -q "$t/f" box:new; expect_status 0; [ ! -s "$t/s.err" ] || fail "-q is not quiet"

# 64 KiB of noise at most, with and without line ends; and a shell that repeats what it reads.
echo 'yes | head -c 70000' >"$t/shell"; push "$t/f" box:new; expect_status 4; expect_in "$t/s.err" "more than 64 KiB"
echo 'tr "\0" x </dev/zero' >"$t/shell"; push "$t/f" box:new; expect_status 4; expect_in "$t/s.err" "more than 64 KiB"
echo 'cat; exit 3' >"$t/shell"; push -v --timeout 1 "$t/f" box:new; expect_status 10; expect_in "$t/s.err" "no answer from zrecv there within 2 s"
grep -q zk1_ "$t/s.err" "$t/s.json" && fail "the key is shown"

# No program, the wrong one, none that speaks, ssh that fails or dies.
: >"$t/shell"
push --remote-program "$t/none such" "$t/f" box:new; expect_status 5
expect_in "$t/s.err" "'$t/none such', of --remote-program, is not there on 'box'"
expect_in "$t/argv" "'$t/none such' --remote"
push --remote-program "$t/home" "$t/f" box:new
expect_status 5
expect_in "$t/s.err" "'$t/home' cannot be run on 'box'"
push --remote-program "$ZSEND" "$t/f" box:new; expect_status 4; expect_in "$t/s.err" "both sides are a sender"
push --remote-program /bin/true "$t/f" box:new; expect_status 4; expect_in "$t/s.err" "zrecv --remote ended with status 0 before the session"
push --remote-program /bin/cat "$t/f" box:new; expect_status 4; expect_in "$t/s.err" "ended with status 1 before the session"
echo 'echo "Permission denied (publickey)." >&2; exit 255' >"$t/shell"
push "$t/f" box:new
expect_status 5
expect_in "$t/s.json" "'box': ssh failed: Permission denied (publickey)."
expect_in "$t/s.err" "error: 'box': ssh failed"
[ "$(grep -c publickey "$t/s.err")" = 1 ] || fail "what ssh says is said again: $(cat "$t/s.err")"
push -q "$t/f" box:new
expect_status 5
expect_in "$t/s.err" "error: 'box': ssh failed: Permission denied (publickey)."
# The line that tells something: of a shell that marks the place below it; on standard output, with and without its
# end, where there is none on standard error; not what start-up files print before a session.
mv "$t/bin/zrecv" "$t/bin/other"
if command -v fish >/dev/null; then
  echo 'while [ "$1" != -- ]; do shift; done; exec fish -c "$3"' >"$t/shell"
else
  echo 'printf "%s\n" "fish: Unknown command: zrecv" "fish: " "zrecv --remote" "^~~~^" >&2; exit 127' >"$t/shell"
fi
push "$t/f" box:new; expect_status 5; expect_in "$t/s.json" "zrecv is not installed on 'box'"
grep -q "(fish: Unknown command.*zrecv" "$t/s.json" || fail "fish: $(cat "$t/s.json")"
mv "$t/bin/other" "$t/bin/zrecv"
for end in '\n' ''; do
  echo "printf 'This service allows sftp connections only.$end'; exit 1" >"$t/shell"
  push "$t/f" box:new; expect_status 4
  expect_in "$t/s.err" "zrecv --remote ended with status 1 before the session: it prints: This service allows sftp connections only."
done
echo 'echo welcome; echo "not available" >&2; exit 1' >"$t/shell"
push "$t/f" box:new; expect_status 4; expect_in "$t/s.json" "before the session: not available"
echo 'kill -9 $$' >"$t/shell"; push "$t/f" box:new; expect_status 5; expect_in "$t/s.err" "ssh was killed by signal 9 (SIGKILL)"
status_of "$ZSEND" -S "$t/no-ssh" "$t/f" box:new 2>"$t/s.err"; expect_status 5; expect_in "$t/s.err" "no-ssh': start: No such file"

# Other versions, told by the nonce.
cat >"$t/shell" <<'EOF'
read -r start; read -r word nonce
echo "zxfer-ready 9 $nonce 1 2 3"; cat >/dev/null; exit
EOF
push "$t/f" box:new; expect_status 4; expect_in "$t/s.err" "speaks version 9 of the start by ssh"
cat >"$t/shell" <<'EOF'
exec < <(sed -u 's/^zxfer-start 2/zxfer-start 7/')
EOF
push "$t/f" box:new; expect_status 4; expect_in "$t/s.err" "the other side speaks version 7"

# A port that leads to somebody else: he is not believed, and the data goes another way.
cat >"$t/shell" <<EOF
exec > >(while read -r word version nonce port rest; do
  [ "\$word" = zxfer-ready ] && port=\$(cat "$t/stranger.port")
  echo "\$word \$version \$nonce \$port \$rest"
  [ "\$word" != zxfer-ready ] || exec cat
done)
EOF
python3 -c '
import socket, sys
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], file=open(sys.argv[1] + ".new", "w"))
import os; os.rename(sys.argv[1] + ".new", sys.argv[1])
while True: c, _ = s.accept(); c.sendall(b"SSH-2.0-somebody\r\n" * 20); c.close()' "$t/stranger.port" & started+=("$!")
until_true test -s "$t/stranger.port"
push "$t/f" box:new
expect_status 0
expect_same "$t/f" "$t/home/new"
[ "$(via "$t/s.json")" = back ] || fail "went $(via "$t/s.json")"
expect_in "$t/s.json" "data over a connection from the other side: 127.0.0.1:$(cat "$t/stranger.port"): "
pull box:one "$t/d"
expect_status 0
expect_same "$t/home/one" "$t/d/one"
[ "$(via "$t/r.json")" = back ] || fail "went $(via "$t/r.json")"
# Nor can he be reached back: through ssh, unless that was excluded.
echo 'export SSH_CONNECTION=' >>"$t/shell"; rm "$t/home/new" "$t/d/one"
push "$t/f" box:new
expect_status 0
expect_same "$t/f" "$t/home/new"
[ "$(via "$t/s.json")" = ssh ] || fail "went $(via "$t/s.json")"
pull box:one "$t/d"
expect_status 0
expect_same "$t/home/one" "$t/d/one"
[ "$(via "$t/r.json")" = ssh ] || fail "went $(via "$t/r.json")"
rm "$t/home/new"
push --via=direct "$t/f" box:new
expect_status 5
expect_in "$t/s.err" "--via=direct"
[ ! -e "$t/home/new" ] || fail "went all the same"
expect_only "$t/d" one

# --remote by hand: not with anything else.
status_of "$ZRECV" --remote </dev/null >"$t/out" 2>"$t/e.err"
expect_status 5
[ ! -s "$t/out" ] || fail "answers nobody"
status_of script -qec "$ZRECV --remote" /dev/null </dev/null >"$t/out"
expect_status 2
expect_in "$t/out" "is what ssh starts"
status_of "$ZRECV" --remote -v </dev/null 2>"$t/e.err"; expect_status 2
