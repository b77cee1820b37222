# --overwrite=differ: what has the size and time of the source is not sent, and gets its owner, mode, ACL and extended
# attributes all the same, where the receiver's operator has asked for them.
. "$(dirname "$0")/lib.sh"
# push RECV-OPTIONS -- SEND-OPTIONS
push() {
  local recv_options=()
  while [ "$1" != -- ]; do recv_options+=("$1"); shift; done; shift
  unset ZXFER_KEY; start_recv "${recv_options[@]}" "$t/d"
  status_of "$ZSEND" --json="$t/send.json" "$@" "$t/src" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "$what"; wait_for "$recv"; expect_status 0 "$what, zrecv"
  [ "$(field "$t/send.json" files)" = "${files:-0}" ] || fail "$what: $(field "$t/send.json" files) files were sent"
}
of() {
  stat -c "%a %u:%g" "$t/d/src/$1"
  python3 -c 'import os, sys
for name in sorted(os.listxattr(sys.argv[1])):
  if name.startswith("user."): print(name, os.getxattr(sys.argv[1], name).decode(), sep="=")' "$t/d/src/$1"
}
set_xattr() { python3 -c 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], b"1")' "$1" "$2" 2>/dev/null; }
inode() { stat -c %i "$t/d/src/$1"; }
expect_of() { [ "$(of "$1" | tr '\n' ' ')" = "$2 " ] || fail "$1 has $(of "$1"), not $2 ($what)"; }
mkdir "$t/src" "$t/d"
for name in mode same linked closed; do echo "$name" >"$t/src/$name"; chmod 640 "$t/src/$name"; done
what="the first time"; files=4 push -p -- -rp; me=$(id -u):$(id -g)
before=$(inode mode); touched=$(stat -c %Z "$t/d/src/same"); ln "$t/d/src/linked" "$t/d/elsewhere"
chmod 4755 "$t/src/mode"; chmod 600 "$t/src/linked" "$t/src/closed"
what="without -p at the receiver"; push -- -rp --overwrite=differ; expect_of mode "640 $me"
what="by another rule"; push -p -- -rp --overwrite=skip; expect_of mode "640 $me"
what="a dry run"; push -p -- -rpn --overwrite=differ; expect_of mode "640 $me"
what="-p"; push -p -- -rp --overwrite=differ; expect_of mode "755 $me"; expect_of closed "600 $me"
[ "$(inode mode)" = "$before" ] || fail "it was replaced"
[ "$(stat -c %Z "$t/d/src/same")" = "$touched" ] || fail "what has nothing to set was touched"
[ "$(stat -c %a "$t/d/elsewhere")" = 640 ] || fail "a file with another name was changed"

set_xattr "$t/src/mode" user.a || skip "no extended attributes here"
set_xattr "$t/d/src/mode" user.gone; set_xattr "$t/d/src/closed" user.gone
what="-a of the sender's only"; push -- -a --overwrite=differ; expect_of mode "755 $me user.a=1 user.gone=1"
what="-a"; push -a -- -a --overwrite=differ; expect_of mode "4755 $me user.a=1"; expect_of closed "600 $me"
if [ "$(id -u)" = 0 ]; then
  what="owners"; chown 1:2 "$t/src/mode"; chmod 4755 "$t/src/mode"
  push -- -a --overwrite=differ; expect_of mode "4755 $me user.a=1"
  push -a -- -a --overwrite=differ; expect_of mode "4755 1:2 user.a=1"
  expect_in "$t/send.json" '"skipped":true'
fi
if command -v setfacl >/dev/null && setfacl -m u:1:r "$t/src/closed" 2>/dev/null; then
  what="an ACL"; push -a -- -a --overwrite=differ
  getfacl -cn "$t/d/src/closed" 2>/dev/null | grep -q '^user:1:r--' || fail "$what: $(getfacl -cn "$t/d/src/closed")"
  setfacl -b "$t/src/closed"; chmod 600 "$t/src/closed"; push -a -- -a --overwrite=differ
  ! getfacl -cn "$t/d/src/closed" 2>/dev/null | grep -q '^user:1' || fail "$what that is gone"
fi
