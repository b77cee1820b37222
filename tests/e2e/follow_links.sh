# -L: what symbolic links lead to in their place, and never in a circle; by whose word. -x: nothing of other file systems.
. "$(dirname "$0")/lib.sh"
fresh() { rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; }
found() { (cd "$t/d" && find . -mindepth 1 | LC_ALL=C sort | sed 's|^\./||' | tr '\n' ' '); }
expect_found() { [ "$(found)" = "$*${*:+ }" ] || fail "$what: there is $(found)"; }
push() {
  fresh; start_recv "$t/d"
  status_of "${run[@]}" "$ZSEND" -q "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"
  [ "$sent" = "$status" ] || fail "zsend ended with $sent, zrecv with $status ($what)"
  expect_status "${wanted:-0}" "$what"
}
run=(env)
mkdir -p "$t/s/sub" "$t/out/deep"; echo file >"$t/out/f"; echo deep >"$t/out/deep/g"
ln -s ../out "$t/s/dir"; ln -s ../../out/f "$t/s/sub/file"
what="links are followed"
push -r -L "$t/s"
expect_found s s/dir s/dir/deep s/dir/deep/g s/dir/f s/sub s/sub/file
[ -z "$(find "$t/d" -type l)" ] || fail "$what: there are links"
[ "$(cat "$t/d/s/sub/file")" = file ] || fail "$what"
what="links without -L"; push -r "$t/s"; [ -L "$t/d/s/dir" ] && [ -L "$t/d/s/sub/file" ] || fail "$what"
what="circles, and those that lead nowhere"
ln -s . "$t/s/here"
ln -s ../../s "$t/s/sub/up"
ln -s nowhere "$t/s/none"
ln -s self "$t/s/self"
ln -s / "$t/s/sub/fifo"
rm "$t/s/sub/fifo"; mkfifo "$t/out/fifo"; ln -s ../../out/fifo "$t/s/sub/fifo"
wanted=23 push -r --dereference "$t/s"; expect_found s s/dir s/dir/deep s/dir/deep/g s/dir/f s/sub s/sub/file
for name in here sub/up; do
  expect_in "$t/send.err" "$name': a symbolic link to a directory that it is in"
done
expect_in "$t/send.err" "none': a symbolic link that leads nowhere"; expect_in "$t/send.err" "self': "
expect_in "$t/send.err" "sub/fifo': neither a file"
rm "$t/s/here" "$t/s/sub/up" "$t/s/none" "$t/s/self" "$t/s/sub/fifo" "$t/out/fifo"

# By ssh, with a stand-in for it: the operator is the same at both ends, unless he is held below a directory.
printf '#!/bin/sh\ncase " $* " in *" -G "*) echo hostname 127.0.0.1; exit ;; esac\ncd %s; exec %s --remote $BELOW\n' \
  "$t" "$ZSEND" >"$t/ssh"; chmod +x "$t/ssh"
what="a pull by ssh"
fresh
status_of "$ZRECV" -q -S "$t/ssh" -r -L host:s "$t/d" 2>"$t/recv.err"
expect_status 0 "$what"
expect_found s s/dir s/dir/deep s/dir/deep/g s/dir/f s/sub s/sub/file
what="a pull of who is held below"; fresh
status_of env BELOW="--below $t/s" "$ZRECV" -q -S "$t/ssh" -r -L host:. "$t/d" 2>"$t/recv.err"
expect_status 9 "$what"
expect_in "$t/recv.err" "may not have symbolic links followed"; expect_found
what="who listens says it"; fresh
status_of "$ZRECV" -r -L zs://127.0.0.1:1 "$t/d" 2>"$t/recv.err"; expect_status 2 "$what"
start_send -r -L "$t/s"
status_of "$ZRECV" -q -r "zs://127.0.0.1:$port" "$t/d"
expect_status 0 "$what"
wait_for "$send"
[ "$(cat "$t/d/s/sub/file")" = file ] || fail "$what"

# -x
if [ "$(id -u)" = 0 ] && unshare -m mount -t tmpfs tmpfs "$t/out" 2>/dev/null; then
  mkdir "$t/s/mounted"; echo below >"$t/s/mounted/hidden"
  printf '#!/bin/sh\nmount -t tmpfs -o mode=711 tmpfs %s/s/mounted; echo f >%s/s/mounted/f; exec "$@"\n' "$t" "$t" >"$t/with"
  run=(unshare -m sh "$t/with")
  what="a mount"; push -r "$t/s/."; expect_found dir mounted mounted/f sub sub/file
  what="-x"; push -r -p -x "$t/s/."; expect_found dir mounted sub sub/file
  what="a mount that is a source"; push -r -x "$t/s/mounted"; expect_found mounted mounted/f
  what="-x and a list"
  printf 'mounted/f\n' >"$t/list"
  push --one-file-system --files-from "$t/list" "$t/s"
  expect_found mounted
  what="-x and -L"
  ln -s mounted "$t/s/link"
  ln -s mounted/f "$t/s/file"
  push -r -x -L --exclude dir "$t/s/."
  expect_found file link mounted sub sub/file; rm "$t/s/link" "$t/s/file"
  what="-x of a pull"; fresh
  status_of "${run[@]}" "$ZRECV" -q -S "$t/ssh" -r -x host:s/. "$t/d" 2>"$t/recv.err"
  expect_status 0 "$what"
  expect_found dir mounted sub sub/file
  printf '#!/bin/sh\nexec unshare -m sh %s %s "$@"\n' "$t/with" "$ZSEND" >"$t/wrapped"; chmod +x "$t/wrapped"
  fresh
  ZSEND=$t/wrapped start_send -r "$t/s/."
  status_of "$ZRECV" -q -r -x "zs://127.0.0.1:$port" "$t/d"
  expect_status 0 "$what"
  wait_for "$send"; expect_found dir mounted sub sub/file
fi
