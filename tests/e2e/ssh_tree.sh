# Directories by ssh, to a host and from one; the same rules as in tree.sh.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ssh.sh"
tree() { python3 "$ZX_SOURCE_DIR/tests/tools/tree.py" "$@"; }
same() { tree same "$@" >"$t/differences" || fail "$1 and $2 differ ($what): $(cat "$t/differences")"; }
start_sshd box
push() { status_of timeout 60 "$ZSEND" -F "$ssh_config" "$@" 2>"$t/send.err"; expect_status "${wanted:-0}" "$what"; }
pull() { status_of timeout 60 "$ZRECV" -F "$ssh_config" "$@" 2>"$t/recv.err"; expect_status "${wanted:-0}" "$what"; }
tree make "$t/src"; mkdir "$t/box/there" "$t/d"

what="push"; push -r -p "$t/src" box:there; same "$t/src" "$t/box/there/src" --times
what="push to a new name"; push -r "$t/src" box:new; same "$t/src" "$t/box/new"
what="push --plain, through ssh"; push -r --plain "$t/src" box:plain; same "$t/src" "$t/box/plain"
what="push --via=ssh"; push -r --via=ssh "$t/src" box:via; same "$t/src" "$t/box/via"
what="pull"; pull -r -p box:there/src "$t/d"; same "$t/src" "$t/d/src" --times
what="pull to a new name"; pull -r box:new "$t/new"; same "$t/src" "$t/new"
what="pull the contents"; mkdir "$t/contents"; pull -r box:new/. "$t/contents"; same "$t/src" "$t/contents"
what="pull the one above"
mkdir "$t/box/new/in" "$t/above"
pull -r box:new/in/.. "$t/above"
rmdir "$t/above/in" "$t/box/new/in"
same "$t/src" "$t/above"
what="pull several"; mkdir "$t/several"; pull -r box:new/nested box:new/large "$t/several"
same "$t/src/nested" "$t/several/nested"; expect_same "$t/src/large" "$t/several/large"
what="pull --plain"; pull -r --plain box:new "$t/plain"; same "$t/src" "$t/plain"
what="dry runs"; find "$t/box" -printf "%p %y %m %T@ %C@\n" | sort >"$t/before"
push -n -r "$t/src" box:dry; push -n -r --mkdir "$t/src" box:dry/below; pull -n -r box:new "$t/dry"; [ ! -e "$t/dry" ] || fail "$what"
expect_in "$t/recv.err" "dry run, nothing was sent: would receive"
find "$t/box" -printf "%p %y %m %T@ %C@\n" | sort | diff "$t/before" - || fail "$what"
what="a directory without -r"
wanted=6
pull box:new "$t/none"
expect_in "$t/recv.err" "is a directory, not a file"
push "$t/src" box:none; expect_in "$t/send.err" "is a directory, not a file"

# Who starts both says -a for both; not where --below has set him a limit (see ssh_below.sh).
if [ "$(id -u)" = 0 ]; then
  wanted=0
  tree make "$t/all" --all
  what="push -a"; push -a "$t/all" box:; same "$t/all" "$t/box/all" --all
  what="pull -a"; pull -a box:all "$t/d"; same "$t/all" "$t/d/all" --all
fi
