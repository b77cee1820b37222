# zrecv [user@]host:path... DST: ssh starts zsend there.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ssh.sh"
start_sshd box; start_sshd hop; ssh_alias far "$box_port" "ProxyJump hop"
pull() { status_of timeout 60 "$ZRECV" -F "$ssh_config" "$@" 2>"$t/recv.err"; }
mkdir "$t/d" "$t/box/src"; random_file "$t/box/f" 3000001
pull -q box:f "$t/d"
expect_status 0 "one file"
expect_same "$t/box/f" "$t/d/f"
[ ! -s "$t/recv.err" ] || fail "not quiet"
pull --json="$t/recv.json" "$(id -un)@box:f" "$t/d/new"
expect_status 0 "a new name"
expect_same "$t/box/f" "$t/d/new"
[ "$(field "$t/recv.json" durable)" = true ] && [ "$(field "$t/recv.json" via)" = direct ] || fail "durable, directly: $(tail -1 "$t/recv.json")"
pull "ssh://box$t/box/f" "$t/d/url"; expect_status 0 "ssh://"; expect_same "$t/box/f" "$t/d/url"
pull far:f "$t/d/far"
expect_status 0 "a jump"
expect_same "$t/box/f" "$t/d/far"
grep -q "$box_port" "$t/hop.log" || fail "not by way of hop"
pull --via=ssh box:f "$t/d/through"; expect_status 0 --via=ssh; expect_same "$t/box/f" "$t/d/through"
pull box:none "$t/d"; expect_status 6 "a source that is not there"; expect_in "$t/recv.err" none
pull box:f "$t/d/no/x"; expect_status 6 "no such directory"; expect_in "$t/recv.err" "$t/d/no"
pull --overwrite=never box:f "$t/d"; expect_status 9 --overwrite=never
pull box:src "$t/d"; expect_status 6 "a directory"
# Names, all in one session, and one at a time under another name.
mkdir "$t/all" "$t/each"; sources=()
for name in "${odd_names[@]}"; do random_file "$t/box/src/$name" 1000; sources+=("box:src/$name"); done
pull "${sources[@]}" "$t/all"; expect_status 0 "odd names"
for name in "${odd_names[@]}"; do
  expect_same "$t/box/src/$name" "$t/all/$name"
  pull "box:src/$name" "$t/each/x"; expect_status 0 "'$name'"; expect_same "$t/box/src/$name" "$t/each/x"
done
[ "$(ls -A "$t/all" | wc -l)" = "$(ls -A "$t/box/src" | wc -l)" ] || fail "something else is there too"
cp "$t/box/src/-dash" "$t/box/-dash"
pull box:-dash "$t/each/dash"
expect_status 0 "a leading dash"
expect_same "$t/box/-dash" "$t/each/dash"
expect_nothing_run
# One of several is not there: nothing of the others is lost without a word, and nothing half.
pull box:f box:none "$t/each"
[ "$status" != 0 ] || fail "a missing source ended with 0"
expect_in "$t/recv.err" none
! ls -A "$t/each" | grep -q '^\.zrecv' || fail "a temporary file stayed"
# To standard output, to a command, and into an existing file.
pull box:f - >"$t/out"; expect_status 0 "standard output"; expect_same "$t/box/f" "$t/out"
pull --exec "cat >'$t/out2'" box:f; expect_status 0 --exec; expect_same "$t/box/f" "$t/out2"
head -c 5000000 /dev/zero >"$t/in"
pull --inplace box:f "$t/in"
expect_status 0 --inplace
expect_same "$t/box/f" "$t/in"
until_true nothing_left box
