# -r: a directory and all that is below it, pushed and pulled, to the names that cp gives it.
. "$(dirname "$0")/lib.sh"
tree() { python3 "$ZX_SOURCE_DIR/tests/tools/tree.py" "$@"; }
same() { tree same "$@" >"$t/differences" || fail "$1 and $2 differ ($what): $(cat "$t/differences")"; }
fresh() { rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; }
# push DST-BELOW OPTIONS -- SOURCES: to a listener; both programs' statuses are alike.
push() {
  local below=$1 options=(); shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  start_recv ${recv_options:-} "${root:-$t/d}"
  status_of "$ZSEND" --json="$t/send.json" "${options[@]}" "$@" "zs://127.0.0.1:$port$below" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"
  [ "$sent" = "$status" ] || fail "zsend ended with $sent, zrecv with $status ($what)"
}
tree make "$t/src"

for mode in "" --plain; do
  what="push $mode"; fresh; recv_options="-p $mode" push "" -r -p $mode -- "$t/src"
  expect_status 0 "$what"; same "$t/src" "$t/d/src" --times; expect_only "$t/d" src
  [ "$(field "$t/send.json" symlinks)" = 6 ] || fail "$(field "$t/send.json" symlinks) links"
  what="again, over it $mode"; recv_options="-p $mode" push "" -r -p $mode -- "$t/src"
  expect_status 0 "$what"; same "$t/src" "$t/d/src" --times
done
what="several streams"; fresh; push "" -r --streams=4 --block-size=1M -- "$t/src"
expect_status 0 "$what"; same "$t/src" "$t/d/src"
what="every file by itself"; fresh; push "" -r --durability=file -- "$t/src/nested" "$t/src/large"
expect_status 0 "$what"; same "$t/src/nested" "$t/d/nested"; expect_same "$t/src/large" "$t/d/large"

# The destination, by cp's rules.
mkdir "$t/src2"; echo two >"$t/src2/two"
what="a new name"; fresh; push /new -r -- "$t/src2"; expect_status 0 "$what"; same "$t/src2" "$t/d/new"
what="the contents"; fresh; push "" -r -- "$t/src2/."; expect_status 0 "$what"; same "$t/src2" "$t/d"
what="the contents, to a new name"; fresh; push /new -r -- "$t/src2/."
expect_status 0 "$what"; same "$t/src2" "$t/d/new"
what="a trailing slash means nothing"; fresh; push "" -r -- "$t/src2/"; same "$t/src2" "$t/d/src2"
what="-T"
fresh
mkdir -m 711 "$t/d/there"
push /there -r -T -- "$t/src2"
expect_status 0 "$what"
same "$t/src2" "$t/d/there"
[ "$(stat -c %a "$t/d/there")" = 711 ] || fail "the destination's own mode"
what="-T to a new name"
fresh
push /new -r -T -- "$t/src2"
expect_status 0 "$what"
expect_only "$t/d" new
same "$t/src2" "$t/d/new"
what="into an existing one"
fresh
mkdir "$t/d/there"
push /there -r -- "$t/src2"
same "$t/src2" "$t/d/there/src2"
what="several"
fresh
push "" -r -- "$t/src2" "$t/src/large"
expect_status 0 "$what"
expect_only "$t/d" src2 large
what="itself"; fresh; (cd "$t/src2" && push "" -r -- .); expect_status 0 "$what"; same "$t/src2" "$t/d"
what="the one above"
fresh
mkdir "$t/src2/in"
(cd "$t/src2/in" && push "" -r -- ..)
expect_status 0 "$what"
same "$t/src2" "$t/d"; rmdir "$t/src2/in"
what="several to one name"
fresh
push /new -r -- "$t/src2" "$t/src/large"
[ "$status" != 0 ] || fail "$what"
what="without -r"
fresh
status_of "$ZSEND" "$t/src2" zs://127.0.0.1:1 2>"$t/send.err"
expect_status 6 "$what"
expect_in "$t/send.err" "(-r sends it"

# A listener that sends, and ssh's words are the same: see ssh_tree.sh.
what="pull"; fresh; start_send -r "$t/src2"
status_of "$ZRECV" -r "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"; expect_status 0 "$what"
wait_for "$send"; expect_status 0 "$what"; same "$t/src2" "$t/d/src2"

what="a pull without -r"; fresh; start_send -r "$t/src2"
status_of "$ZRECV" "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"; expect_status 9 "$what"
wait_for "$send"; expect_in "$t/recv.err" "which was not asked for (-r)"; expect_only "$t/d" ""

# One that fails is named, and the others go on.
mkdir -p "$t/part/closed" "$t/part/in the way"; echo 1 >"$t/part/one"; echo 2 >"$t/part/in the way/two"
mkfifo "$t/part/fifo"; echo x >"$t/part/.zrecv-x"
what="what cannot be sent"; fresh; mkdir "$t/d/part"; echo file >"$t/d/part/in the way"
push "" -r -- "$t/part"; expect_status 23 "$what"
expect_in "$t/send.err" "fifo': neither a file nor a directory nor a symbolic link"
expect_in "$t/send.err" "is not a directory, and a directory does not replace it"
expect_in "$t/send.err" ".zrecv-x': left out"
expect_in "$t/recv.err" "not made here, so nothing can come into it"
expect_same "$t/part/one" "$t/d/part/one"; [ "$(cat "$t/d/part/in the way")" = file ] || fail "$what"
# What is known to be a directory is told as one.
closed() { [ "$(grep -c '"name":"[^"]*closed","bytes":0,"status":"file-io","kind":"directory"' "$t/send.json" "$t/recv.json" | tr '\n' ' ')" = "$t/send.json:1 $t/recv.json:1 " ] ||
  fail "$what: $(grep closed "$t/send.json" "$t/recv.json")"; }
nobody=()
[ "$(id -u)" != 0 ] || nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
if [ -z "${nobody[*]}" ] || command -v setpriv >/dev/null; then
  what="a closed directory"; chmod 755 "$t"; mkdir "$t/bin"; cp "$ZSEND" "$t/bin"; chmod 0 "$t/part/closed"
  fresh
  start_recv "$t/d"
  status_of "${nobody[@]}" "$t/bin/zsend" --json=- -r "$t/part" "zs://127.0.0.1:$port" >"$t/send.json" 2>"$t/send.err"
  expect_status 23 "$what"
  wait_for "$recv"
  closed
  fresh
  start_recv "$t/d"
  status_of "${nobody[@]}" "$t/bin/zsend" --json=- -r "$t/part/closed" "$t/part/one" "zs://127.0.0.1:$port" >"$t/send.json" 2>"$t/send.err"
  expect_status 23 "$what, as a source"
  wait_for "$recv"
  closed
  chmod 755 "$t/part/closed"
fi
what="a link is not followed"; fresh; mkdir "$t/out"; ln -s "$t/out" "$t/d/src2"
push "" -r -- "$t/src2"; expect_status 6 "$what"; expect_only "$t/out" ""
expect_in "$t/recv.err" "is a symbolic link, which is not followed"

what="a name in the way is not looked at"; fresh; mkdir "$t/d/part"; echo old >"$t/d/part/fifo"
push "" -r --overwrite=skip -- "$t/part"
expect_status 23 "$what"
[ "$(cat "$t/d/part/fifo")" = old ] || fail "$what"
what="two contents of one name"; fresh; mkdir "$t/other"; echo other >"$t/other/two"
push "" -r -- "$t/src2/." "$t/other/."; expect_status 23 "$what"; expect_same "$t/src2/two" "$t/d/two"
what="content without a size"; fresh; push "" -r -- /proc/sys/kernel/random; expect_status 23 "$what"
expect_in "$t/send.err" "has content but says it is empty"

# Who waits to write into a FIFO is left alone.
what="the writer of a FIFO"; mkfifo "$t/other/fifo"; (exec 2>/dev/null; echo line >"$t/other/fifo"; exit 7) & writer=$!
started+=("$writer"); fresh; push "" -r -- "$t/other"; expect_status 23 "$what"
[ "$(timeout 20 cat "$t/other/fifo")" = line ] || fail "$what"; wait_for "$writer"; expect_status 7 "$what"
rm "$t/other/fifo"

# An interrupted run does not leave directories that the next one finds closed to others.
what="interrupted"; fresh; mkdir -p "$t/slow/deep"; random_file "$t/slow/deep/f" 40000000
start_recv "$t/d"; "$ZSEND" -q -r --bwlimit=5M "$t/slow" "zs://127.0.0.1:$port" & send=$!; started+=("$send")
until_true test -d "$t/d/slow/deep"; kill -INT "$send"; wait_for "$send"; wait_for "$recv"
[ "$(stat -c %a "$t/d/slow/deep")" = "$(stat -c %a "$t/slow/deep")" ] || fail "$what: $(stat -c %a "$t/d/slow/deep")"

# A tree that is received into itself ends.
what="into itself"; mkdir -p "$t/self/deep/d"; random_file "$t/self/first" 3000000
# The file at its top takes so long that what is made below is there when the walk comes to it: then
# that is left out (24), unless it was made within the tick of the kernel in which the walk began.
unset ZXFER_KEY; root=$t/self/deep/d push "" -r --bwlimit=3M -- "$t/self"
[ "$status" = 0 ] || expect_status 24 "$what"
expect_same "$t/self/first" "$t/self/deep/d/self/first"
[ ! -e "$t/self/deep/d/self/deep/d/self/deep" ] || fail "it grows"

# Few descriptors.
mkdir "$t/wide"; for i in $(seq 200); do mkdir "$t/wide/$i"; echo "$i" >"$t/wide/$i/f"; done
what="ulimit -n 64"; fresh; (ulimit -n 64; push "" -r -- "$t/wide"; expect_status 0 "$what") || exit 1
same "$t/wide" "$t/d/wide"
for i in "$t"/wide/*/f; do echo another >"$i"; done; what="ulimit -n 64, what has changed"
(ulimit -n 64; push "" -r --overwrite=differ -- "$t/wide"; expect_status 0 "$what") || exit 1
same "$t/wide" "$t/d/wide"
rm "$t"/wide/*/f; what="ulimit -n 64, empty ones"; fresh
(ulimit -n 64; push "" -r -- "$t/wide"; expect_status 0 "$what") || exit 1
same "$t/wide" "$t/d/wide"

# Several sources and one new name: refused before any of them is there.
mkdir -p "$t/one/a" "$t/one/b" "$t/one/d"; echo 1 >"$t/one/a/x"; echo 2 >"$t/one/b/y"
start_recv -r "$t/one/d"
status_of "$ZSEND" -r "$t/one/a" "$t/one/b" "zs://127.0.0.1:$port/new" 2>"$t/send.err"
expect_status 9 "zsend with two sources for one new name"; wait_for "$recv"; expect_status 9 "zrecv"
expect_in "$t/send.err" "several sources need a directory"; expect_only "$t/one/d"
