# What is in the way of a file and cannot be replaced is found before any data moves, with the way out; what is no
# file is never replaced by one.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 3000000
# refused WHAT WORDS...: sends $t/f to ${dst:-$t/d} and ${path} there. That the folder is as old as before says that no
# temporary file was made.
refused() {
  local what=$1 words before; shift
  before=$(ls -lA "$t/d"; stat -c %y "$t/d")
  start_recv --plain --no-auth "${dst:-$t/d}"
  status_of "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port${path:-}" 2>"$t/send.err"
  expect_status 6 "zsend, $what"
  wait_for "$recv"; expect_status 6 "zrecv, $what"
  for words in "$@"; do expect_in "$t/send.err" "$words"; expect_in "$t/recv.err" "$words"; done
  [ "$(ls -lA "$t/d"; stat -c %y "$t/d")" = "$before" ] || fail "$what: the folder has changed"
}
# no_listener WHAT DST WORDS: what cannot be written to is not listened for.
no_listener() {
  status_of timeout 20 "$ZRECV" --plain --no-auth --listen 127.0.0.1:0 "$2" 2>"$t/e.err"
  expect_status 6 "$1"
  expect_in "$t/e.err" "$3"
}

# What is no file.
mkfifo "$t/d/f"
refused "a FIFO" "is a FIFO, a socket or a device"
rm "$t/d/f"
python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$t/d/f"
refused "a socket" "is a FIFO, a socket or a device"
mkfifo "$t/d/p"; path=/p refused "a FIFO, named by the peer" "is a FIFO, a socket or a device"
rm "$t/d/f" "$t/d/p"; ln -s nowhere "$t/d/f"
start_recv --plain --no-auth "$t/d"
"$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port"
wait_for "$recv"
expect_status 0
[ ! -L "$t/d/f" ] || fail "a symbolic link is what a file replaces"; rm "$t/d/f"
[ "$(id -u)" = 0 ] || exit 0

mknod "$t/d/f" c 1 3 2>/dev/null && refused "a character device" "is a FIFO, a socket or a device"
rm -f "$t/d/f"
mknod "$t/d/f" b 7 250 2>/dev/null && refused "a block device" "is a FIFO, a socket or a device"
rm -f "$t/d/f"

# wrapped COMMAND: zrecv by way of it, which gets the program and its arguments.
plain_zrecv=$ZRECV
wrapped() { printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$t/zrecv.sh"; chmod 755 "$t/zrecv.sh"; ZRECV=$t/zrecv.sh; }

# A file that is a mount point, in a mount namespace of its own.
echo old >"$t/d/f"; echo other >"$t/other"
if unshare -m mount --bind "$t/other" "$t/d/f" 2>/dev/null; then
  printf 'mount --bind %q %q; exec "$@"\n' "$t/other" "$t/d/f" >"$t/in.sh"
  wrapped unshare -m sh "$t/in.sh" "$plain_zrecv"
  refused "a mount point" "is a mount point" "zrecv --inplace"
  dst=$t/d/f refused "a mount point, by name" "zrecv --inplace"
  start_recv --plain --no-auth --inplace "$t/d/f"
  "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port"
  wait_for "$recv"
  expect_status 0 "--inplace into a mount point"; expect_same "$t/f" "$t/other"; expect_in "$t/d/f" old
fi
ZRECV=$plain_zrecv

# Attributes, where the file system has them.
if chattr +i "$t/d/f" 2>/dev/null; then
  refused "an immutable file" "is immutable" "chattr -i"; chattr -i "$t/d/f"
  chattr +a "$t/d/f"; refused "an append-only file" "can only be appended to" "chattr -a"; chattr -a "$t/d/f"
  rm "$t/d/f"
  chattr +i "$t/d"
  no_listener "an immutable folder" "$t/d" "chattr -i"
  no_listener "a file in it" "$t/d/new" "chattr -i"
  chattr -i "$t/d"
  chattr +a "$t/d"
  no_listener "an append-only folder" "$t/d" "chattr -a"
  chattr -a "$t/d"
  expect_only "$t/d" ""; mkdir "$t/d/sub"
  chattr +a "$t/d/sub"; path=/sub/ refused "an append-only folder below" "chattr -a"; chattr -a "$t/d/sub"
  [ -z "$(ls -A "$t/d/sub")" ] || fail "a temporary file stays"; rm -r "$t/d/sub"
fi

# A link that somebody else may have planted, at the end of the path and within it; one in a folder of his own is his
# operator's business, and so is one of root's.
mkdir -m 1777 "$t/tmp"
mkdir -m 755 "$t/own" "$t/away"
ln -s "$t/away" "$t/tmp/link"
ln -s "$t/away" "$t/own/link"
ln -s "$t/away" "$t/tmp/roots"
chown -h 65534 "$t/tmp/link" "$t/own/link"; mkdir "$t/away/sub"; echo old >"$t/away/old"
for planted in link link/ link//sub link/new link/old link/sub/../new; do
  no_listener "a planted link: $planted" "$t/tmp/$planted" "/tmp/link': a symbolic link of another user"
done
status_of timeout 20 "$ZRECV" --inplace --plain --no-auth --listen 127.0.0.1:0 "$t/tmp/link/old" 2>"$t/e.err"; expect_status 6 "--inplace by a planted link"
(cd "$t/tmp"; no_listener "a planted link, from there" link/sub "'link': a symbolic link of another user")
for good in own/link tmp/roots; do
  start_recv --plain --no-auth "$t/$good"; "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port"; wait_for "$recv"
  expect_status 0 "$good"; expect_same "$t/f" "$t/away/f"; rm "$t/away/f"
done

# A block device as DST: what to run in place of it. A home directory: what that gives away.
if mknod "$t/node" b 7 250 2>/dev/null; then no_listener "a block device as DST" "$t/node" "zrecv --inplace --listen 7717 $t/node"; fi
mkdir "$t/home"
HOME=$t/home start_recv --plain --no-auth "$t/home/"; kill "$recv"; wait_for "$recv"; expect_in "$t/recv.err" "warning: the sender may replace any file in '$t/home/'"
HOME=$t/home start_recv --plain --no-auth "$t/d"; kill "$recv"; wait_for "$recv"; ! grep -q "warning: the sender" "$t/recv.err" || fail "warned of a directory of its own"

# As somebody who is not root, with a copy of the program that anybody may run.
command -v setpriv >/dev/null || exit 0
mkdir -m 755 "$t/bin"; cp "$plain_zrecv" "$t/bin/zrecv"; chmod 755 "$t/bin/zrecv"; chmod 777 "$t"
wrapped setpriv --reuid=65534 --regid=65534 --clear-groups "$t/bin/zrecv"
echo old >"$t/d/f"; chmod 666 "$t/d/f"; chmod 1777 "$t/d"
refused "a file of another user in a sticky folder" "belongs to another user" "zrecv --inplace"; expect_in "$t/d/f" old
chmod 755 "$t/d"; no_listener "a folder of somebody else" "$t/d" "Permission denied"; no_listener "a new name in it" "$t/d/x" "Permission denied"
mkdir -m 777 "$t/w"; mkdir -m 755 "$t/w/sub"; dst=$t/w path=/sub/ refused "a folder of somebody else below" "Permission denied"
# A root that cannot be written to, with a folder below it that can: a sender may name that one.
mkdir -m 755 "$t/root"; mkdir -m 777 "$t/root/in"
start_recv --plain --no-auth "$t/root"
status_of "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port/in/"
expect_status 0 "a folder below"
wait_for "$recv"; expect_status 0; expect_same "$t/f" "$t/root/in/f"
dst=$t/root refused "the root itself" "Permission denied"
status_of timeout 20 "$ZRECV" --plain --no-auth zs://127.0.0.1:1 "$t/root" 2>"$t/e.err"
expect_status 6 "a pull into it"
rmdir "$t/root/in" 2>/dev/null || rm -r "$t/root/in"
no_listener "a root where there is no such folder" "$t/root" "Permission denied"
# A drop box, which may be written to and not read: a file can be put there.
mkdir -m 1733 "$t/box"
start_recv --plain --no-auth "$t/box"; "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port"; wait_for "$recv"
expect_status 0 "a drop box"; expect_same "$t/f" "$t/box/f"
