# --remote --below DIR as the forced command of a key: its holder reaches what is below DIR and nothing else, by
# no name, no link, no link that is made meanwhile, no plain mode, and by no command line of his.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ssh.sh"
mkdir "$t/root" "$t/root/sub" "$t/out" "$t/d"; random_file "$t/f" 300000
forced() { start_sshd "$1" "ForceCommand cd /; exec env SHLVL=1 \$HOME/bin/$2 --remote --below $t/root"; }
forced inbox zrecv; forced outbox zsend
push() { status_of timeout 60 "$ZSEND" "${how[@]}" "$@" 2>"$t/s.err"; }
pull() { status_of timeout 60 "$ZRECV" "${how[@]}" "$@" 2>"$t/r.err"; }
secret() { echo old >"$t/out/secret"; }
# Nothing has come to where the key does not lead, nor from there.
expect_confined() {
  [ "$(cat "$t/out/secret")" = old ] && expect_only "$t/out" secret
  ! grep -rqx old "$t/d" || fail "$1: the secret was read"
}

# What it is for.
how=(-F "$ssh_config")
push "$t/f" inbox:; expect_status 0; expect_same "$t/f" "$t/root/f"
push "$t/f" inbox:sub/new; expect_status 0; expect_same "$t/f" "$t/root/sub/new"
push --via=ssh "$t/f" inbox:./sub//; expect_status 0; expect_same "$t/f" "$t/root/sub/f"
push --mkdir -p "$t/f" 'inbox:~/made/deep'; expect_status 0; expect_same "$t/f" "$t/root/made/deep/f"
pull outbox:f outbox:sub/new "$t/d"
expect_status 0
expect_same "$t/f" "$t/d/f"
expect_same "$t/f" "$t/d/new"
rm "$t"/d/*
pull --via=ssh outbox:made/deep/f "$t/d/x"; expect_status 0; expect_same "$t/f" "$t/d/x"; rm "$t"/d/*

# From here on what sshd does with it stands in its place: it takes most of the time.
cat >"$t/ssh" <<S
#!/bin/sh
case " \$* " in *" -G "*) echo hostname 127.0.0.1; exit ;; *" inbox "*) program=zrecv ;; *) program=zsend ;; esac
cd /; export SSH_CONNECTION="127.0.0.1 1 127.0.0.1 22" SSH_ORIGINAL_COMMAND="\$program --remote --below / --exec 'touch $t/pwned'"
exec $t/inbox/bin/\$program --remote --below $t/root
S
chmod +x "$t/ssh"; sshd=("${how[@]}"); how=(-S "$t/ssh")

# Names that lead out. A message does not tell where DIR is.
secret; ln -s "$t/out" "$t/root/away"; ln -s "$t/out/secret" "$t/root/link"; ln -s ../../out "$t/root/sub/up"
for path in "$t/out/x" "$t/out/secret" ../out/x ../out/secret sub/../../out/secret '~root/secret' '~nobody/x' .zrecv-x; do
  push "$t/f" "inbox:$path"; expect_status 9 "push to $path"
  pull "outbox:$path" "$t/d"; expect_status 9 "pull of $path"
  expect_confined "$path"
done
push --mkdir "$t/f" inbox:sub/../..; expect_status 9
for path in away/secret away/x away/ sub/up/secret; do
  push "$t/f" "inbox:$path"; expect_status 6 "push to $path"
  push --mkdir "$t/f" "inbox:$path"; expect_status 6 "push to $path with --mkdir"
  pull "outbox:$path" "$t/d"; expect_status 6 "pull of $path"
  ! grep -qF "$t/root" "$t/s.err" "$t/r.err" || fail "$path: it tells where DIR is: $(cat "$t/s.err" "$t/r.err")"
  expect_confined "$path"
done
pull outbox:link "$t/d"
expect_status 6 "a link"
expect_in "$t/r.err" "is a symbolic link"
expect_confined link
push "$t/f" inbox:link; expect_status 0 "a link is replaced"; expect_confined link
[ ! -L "$t/root/link" ] || fail "the link is still there"; expect_same "$t/f" "$t/root/link"
ln -s "$t/out" "$t/root/f2"; cp "$t/f" "$t/f2"
push "$t/f2" inbox:; [ "$status" = 0 ] || fail "an entry's name that is a link: $status"; expect_confined f2

# Links that are made meanwhile: the folder that is written to, and a file that comes later, are swapped.
mkfifo "$t/pipe"; rm -f "$t/root/sub/up"
"$ZSEND" "${how[@]}" --name=secret - inbox:sub/ <"$t/pipe" 2>"$t/s.err" & send=$!; started+=($send)
exec 7>"$t/pipe"; head -c 1500000 /dev/zero >&7
until_true eval 'ls -A "$t/root/sub" | grep -q "^.zrecv-"'
mv "$t/root/sub" "$t/root/moved"; ln -s "$t/out" "$t/root/sub"; exec 7>&-
wait_for "$send"; expect_status 0 "a folder that was swapped"; expect_confined swapped
[ "$(stat -c %s "$t/root/moved/secret")" = 1500000 ] || fail "not in the folder that was opened"
rm "$t/root/sub"; mv "$t/root/moved" "$t/root/sub"; echo mine >"$t/root/last"
head -c 30000000 /dev/zero | tr '\0' x >"$t/root/big"
"$ZRECV" "${how[@]}" --bwlimit=10M outbox:big outbox:sub/secret outbox:last "$t/d" 2>"$t/r.err" & recv=$!
started+=($recv)
until_true eval 'ls -A "$t/d" | grep -q "^.zrecv-"'
mv "$t/root/sub" "$t/root/moved"; ln -s "$t/out" "$t/root/sub"; ln -sf "$t/out/secret" "$t/root/last"
wait_for "$recv"; expect_status 23 "files that were swapped"; expect_confined swapped; expect_only "$t/d" big
rm "$t"/d/*; rm "$t/root/sub"; mv "$t/root/moved" "$t/root/sub"

# Whoever has set the limit has the word about owners and set-id bits here; the caller's -a is not enough.
if [ "$(id -u)" = 0 ]; then
  cp "$t/f" "$t/owned"; chown 1:2 "$t/owned"; chmod 6755 "$t/owned"
  push -a "$t/owned" inbox:; expect_status 0 "-a"; [ "$(stat -c '%u:%g %a' "$t/root/owned")" = "0:0 755" ] ||
    fail "-a gave $(stat -c '%u:%g %a' "$t/root/owned")"
  rm "$t/root/owned"
fi

# Plain modes, and by sshd again what the caller would like to run.
push --plain "$t/f" inbox:new; expect_status 9 --plain; expect_in "$t/s.err" "--plain is refused with --below"
pull --plain outbox:f "$t/d"
expect_status 9 --plain
pull --plain --via=ssh outbox:f "$t/d"
expect_status 9 --plain
expect_only "$t/d" ""; [ ! -e "$t/root/new" ] || fail "plain was taken"
how=("${sshd[@]}")
push --remote-program "$t/inbox/bin/zrecv" "$t/f" inbox:again
expect_status 0
expect_same "$t/f" "$t/root/again"
for command in "touch $t/pwned" "zrecv --remote" "zrecv --listen 0 --exec 'touch $t/pwned'" "zrecv --remote --below /"; do
  status_of timeout 20 ssh -F "$ssh_config" inbox "$command" </dev/null >"$t/out.txt" 2>"$t/e.err"
  expect_status 5 "$command"; [ ! -s "$t/out.txt" ] || fail "answers $command"
done
expect_nothing_run
pull inbox:f "$t/d"; expect_status 4 "the wrong one of the two"

# The forced command itself: DIR is looked at first, and nothing goes with it but that.
status_of "$ZRECV" --remote --below "$t/none" </dev/null 2>"$t/e.err"
expect_status 6
expect_in "$t/e.err" "none': open directory"
for program in "$ZSEND" "$ZRECV"; do
  for more in -v --json --digest="$t/x" "--exec=touch $t/pwned" --plain "x y" "--below $t" "--listen 0"; do
    status_of "$program" --remote --below "$t/root" $more </dev/null 2>"$t/e.err"; expect_status 2 "$more"
  done
  status_of "$program" --below "$t/root" x y:z 2>"$t/e.err"
  expect_status 2
  expect_in "$t/e.err" "only with --remote"
done
expect_nothing_run
until_true nothing_left inbox; until_true nothing_left outbox
