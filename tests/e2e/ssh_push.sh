# zsend SRC... [user@]host:path and ssh://: ssh starts zrecv there. Paths and options never go through the remote
# shell; ssh's options are ssh's; a jump through another host.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ssh.sh"
start_sshd box; start_sshd hop
push() { status_of timeout 60 "$ZSEND" -F "$ssh_config" "$@" 2>"$t/send.err"; }
random_file "$t/f" 3000001
push -q "$t/f" box:
expect_status 0 "into the home"
expect_same "$t/f" "$t/box/f"
[ ! -s "$t/send.err" ] || fail "not quiet: $(cat "$t/send.err")"
push --json="$t/send.json" "$t/f" "$(id -un)@box:new"
expect_status 0 "a new name"
expect_same "$t/f" "$t/box/new"
[ "$(field "$t/send.json" durable)" = true ] && [ "$(field "$t/send.json" via)" = direct ] || fail "durable, directly: $(tail -1 "$t/send.json")"
push "$t/f" "ssh://box$t/box/url"; expect_status 0 "ssh://"; expect_same "$t/f" "$t/box/url"
push "$t/f" "ssh://box:$hop_port$t/hop/url"
expect_status 0 "ssh:// with a port"
expect_same "$t/f" "$t/hop/url"
push --plain "$t/f" box:plain; expect_status 0 --plain; expect_same "$t/f" "$t/box/plain"
touch -d 2001-02-03 "$t/f"
push -p "$t/f" box:kept
expect_status 0 -p
[ "$(stat -c %Y "$t/box/kept")" = "$(stat -c %Y "$t/f")" ] || fail "-p: another time"
push --streams=3 --block-size=1M "$t/f" box:streams
expect_status 0 --streams
expect_same "$t/f" "$t/box/streams"
# The rules for the destination are those of the operator here.
mkdir "$t/box/dir"; push -T "$t/f" box:dir; expect_status 6 "-T and a directory"; expect_in "$t/send.err" dir
push --overwrite=never "$t/f" box:new
expect_status 9 --overwrite=never
expect_in "$t/send.err" "exists already"
push "$t/f" box:none/x; expect_status 6 "no such directory"; expect_in "$t/send.err" none
push --mkdir "$t/f" box:none/sub
expect_status 0 "--mkdir"
expect_same "$t/f" "$t/box/none/sub/f"
rm -r "$t/box/none"
push "$t/none" box:x; expect_status 6 "a source that is not there"; expect_in "$t/send.err" "$t/none"

# Names, several sources at a time, and each as a destination.
mkdir "$t/src" "$t/box/in to;touch pwned"; cd "$t/src"
sources=(); for name in "${odd_names[@]}"; do random_file "./$name" 1000; sources+=("./$name"); done
push "${sources[@]}" 'box:in to;touch pwned'; expect_status 0 "odd names"
for name in "${odd_names[@]}"; do expect_same "./$name" "$t/box/in to;touch pwned/$name"; done
[ "$(ls -A "$t/box/in to;touch pwned" | wc -l)" = "$(ls -A "$t/src" | wc -l)" ] || fail "something else is there too"
mkdir "$t/box/each"
for name in "${odd_names[@]}"; do push "./a b" "box:each/$name"; expect_status 0 "to '$name'"; expect_same "./a b" "$t/box/each/$name"; done
push -- -dash box:each; expect_status 0 "--"; expect_same ./-dash "$t/box/each/-dash"
expect_nothing_run; cd "$t"
# Standard input, whose end is not its length.
push --name=in - box: <"$t/f"; expect_status 0 "standard input"; expect_same "$t/f" "$t/box/in"
cat "$t/f" | push - box:piped; cmp "$t/f" "$t/box/piped" || fail "from a pipe"

# ssh's own options, without its configuration; another name for the program, which the shell must not touch.
own=(-F /dev/null -P "$box_port" -i "$t/id" -o IdentitiesOnly=yes -o "UserKnownHostsFile=$t/known_hosts" -oBatchMode=yes)
status_of "$ZSEND" "${own[@]}" "$t/f" 127.0.0.1:own 2>"$t/send.err"; expect_status 0 "ssh's options"; expect_same "$t/f" "$t/box/own"
status_of "$ZSEND" "${own[@]}" -4 "$t/f" 127.0.0.1:own4 2>"$t/send.err"
expect_status 0 -4
expect_same "$t/f" "$t/box/own4"
cat >"$t/my ssh" <<'S'
#!/bin/bash
printf '%s\n' "$@" >>"$(dirname "$0")/args"
exec ssh "$@"
S
chmod 755 "$t/my ssh"
mkdir "$t/box/o'dd; dir"; mv "$t/box/bin/zrecv" "$t/box/o'dd; dir/zrecv"
push -S "$t/my ssh" --remote-program="o'dd; dir/zrecv" "$t/f" 'box:$(touch pwned)secret'; expect_status 0 --remote-program; expect_same "$t/f" "$t/box/\$(touch pwned)secret"
expect_in "$t/args" --remote
! grep -q 'secret\|pwned\|zk1_' "$t/args" || fail "a path or the key is an argument of ssh"
expect_nothing_run; mv "$t/box/o'dd; dir/zrecv" "$t/box/bin/"

# Jumps: by -J, and by an alias of the configuration. The data goes where the name leads.
: >"$t/hop.log"
push -J hop "$t/f" box:jumped; expect_status 0 -J; expect_same "$t/f" "$t/box/jumped"
grep -q "direct-tcpip.*127.0.0.1 port $box_port" "$t/hop.log" || grep -q "$box_port" "$t/hop.log" || fail "not by way of hop"
ssh_alias far "$box_port" "ProxyJump hop"; : >"$t/hop.log"
push "$t/f" far:jumped2
expect_status 0 ProxyJump
expect_same "$t/f" "$t/box/jumped2"
grep -q "$box_port" "$t/hop.log" || fail "not by way of hop"
until_true nothing_left box; until_true nothing_left hop
