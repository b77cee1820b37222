# -a: owners, groups, set-id bits, ACLs, extended attributes, hard links; what gives rights only at the word of who
# receives.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "only root gives files away"
tree() { python3 "$ZX_SOURCE_DIR/tests/tools/tree.py" "$@"; }
same() { tree same "$@" >"$t/differences" || fail "$1 and $2 differ ($what): $(cat "$t/differences")"; }
fresh() { rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; }
# push [OPTIONS] SOURCE...: to a listener with $recv_options; both end with $wanted or 0.
push() {
  start_listener recv "${receiver:-$ZRECV}" ${recv_options:-} "$t/d"
  status_of "$ZSEND" --json="$t/send.json" "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"
  [ "$sent" = "$status" ] || fail "zsend ended with $sent, zrecv with $status ($what)"
  expect_status "${wanted:-0}" "$what"
}
quiet() { [ ! -s "$t/send.err" ] && ! grep -v 'listening on\|on the other machine\|ZXFER_KEY\|HOST:' "$t/recv.err" || fail "$what: messages"; }
tree make "$t/src" --all

for mode in "" --plain; do
  what="push $mode"
  fresh
  recv_options="-a $mode" push -a $mode "$t/src"
  same "$t/src" "$t/d/src" --all
  quiet
  # What another program says of it, where it is installed.
  [ -z "$(rsync -aHAXSnc --itemize-changes "$t/src/" "$t/d/src/" | tee "$t/rsync.err")" ] ||
    fail "$what: rsync"
  what="again, over it $mode"
  recv_options="-a $mode" push -a $mode "$t/src"
  same "$t/src" "$t/d/src" --all
  quiet
done
what="the receiver alone says -a"; fresh; recv_options=-a push -r "$t/src"; same "$t/src" "$t/d/src" --all
what="several streams"
fresh
recv_options=-a push -a --streams=3 --block-size=1M "$t/src"
same "$t/src" "$t/d/src" --all
what="pull"; fresh; start_send -a "$t/src"
status_of "$ZRECV" -a "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"; expect_status 0 "$what"
wait_for "$send"; expect_status 0 "$what"; same "$t/src" "$t/d/src" --all
what="one file"; fresh; recv_options=-a push -a "$t/src/owned/set-id"
[ "$(stat -c '%u:%g %a' "$t/d/set-id")" = "2:3 6711" ] || fail "$what: $(stat -c '%u:%g %a' "$t/d/set-id")"

# What was there before has no say.
what="over what was there"
fresh
mkdir -p "$t/d/src/owned/inner"
echo old >"$t/d/src/owned/file"
chown 7:7 "$t/d/src/owned/file"
python3 -c 'import os, sys; [os.setxattr(p, "user.old", b"x") for p in sys.argv[1:]]' "$t/d/src/owned/file" "$t/d/src/owned/inner"
recv_options=-a push -a "$t/src"; same "$t/src" "$t/d/src" --all
# Nor has a default ACL of the destination.
what="into a default ACL"
fresh
setfacl -d -m u:7:rwX "$t/d"
recv_options=-a push -a "$t/src"
same "$t/src" "$t/d/src" --all

# Without the word of who receives: nothing that gives rights, said once for each kind.
what="only the sender says -a"; fresh; recv_options='' push -a "$t/src"
same "$t/src" "$t/d/src"
[ -z "$(find "$t/d" ! -user root -o ! -group root -o -perm /7000)" ] ||
  fail "$what: $(find "$t/d" ! -user root -o -perm /7000)"
for kind in owner mode acl xattrs; do
  grep -q "\"caveats\":\[[^]]*\"$kind\"" "$t/send.json" || fail "$what: zsend has no caveat $kind"
done
[ "$(grep -c "warning: .*owner or group could not be kept: -a was not given" "$t/recv.err")" = 1 ] ||
  fail "$what: not once"
python3 - "$t/d" <<'PY' || fail "$what: attributes of others"
import os, sys
found = [n for at, d, files in os.walk(sys.argv[1]) for f in files if len(f) < 90 and not os.path.islink(os.path.join(at, f))
         for n in os.listxattr(os.path.join(at, f))]
sys.exit(0 if found and all(n.startswith("user.") or n == "security.selinux" for n in found) else 1)
PY
what="plain -r -p"; fresh; recv_options=-p push -r -p "$t/src"; quiet
[ -z "$(find "$t/d" ! -user root -o ! -group root -o -perm /7000)" ] || fail "$what"

# Who is not root keeps what he may: the files are his, without set-id bits, and 0 all the same.
what="nobody receives"
fresh
chmod 777 "$t"
chown 65534:65534 "$t/d"
cp "$ZRECV" "$t/zrecv"
chmod 755 "$t/zrecv"
cat >"$t/as-nobody" <<SH
#!/bin/sh
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$t/zrecv" "\$@"
SH
chmod 755 "$t/as-nobody"
receiver=$t/as-nobody recv_options=-a push -a "$t/src"
same "$t/src" "$t/d/src"
[ -z "$(find "$t/d" ! -user 65534 -o -perm /6000)" ] ||
  fail "$what: $(find "$t/d" ! -user 65534 -o -perm /6000)"
expect_in "$t/recv.err" "its owner or group could not be kept: Operation not permitted"

# Hard links. What the destination's old file had elsewhere stays; what is there already is no new link.
links_of() { find "$1" -type f -printf '%i %P\n' | sort -k2 | awk '{ if (!($1 in first)) first[$1] = $2; print $2, first[$1] }'; }
mkdir -p "$t/l/sub"
echo one >"$t/l/a"
ln "$t/l/a" "$t/l/b"
ln "$t/l/a" "$t/l/sub/c"
random_file "$t/l/sub/large" 3000000
ln "$t/l/sub/large" "$t/l/other"
what="hard links, an old one elsewhere"
fresh
mkdir "$t/d/l" "$t/d/snap"
echo old >"$t/d/l/a"
ln "$t/d/l/a" "$t/d/snap/a"
echo old >"$t/d/l/b"
push -a "$t/l"
[ "$(links_of "$t/l")" = "$(links_of "$t/d/l")" ] || fail "$what: $(links_of "$t/d/l")"
[ "$(cat "$t/d/snap/a")" = old ] || fail "$what: written through"
[ "$(field "$t/send.json" hardlinks)" = 3 ] || fail "$what: $(field "$t/send.json" hardlinks)"
[ "$(field "$t/recv.json" files)" = 2 ] || fail "$what: $(field "$t/recv.json" files) files"
what="hard links, nothing to do"
before=$(links_of "$t/d/l")
inodes=$(find "$t/d/l" -type f -printf '%i %P\n' | sort)
push -a --overwrite=differ "$t/l"
[ "$inodes" = "$(find "$t/d/l" -type f -printf '%i %P\n' | sort)" ] || fail "$what: made again"
[ "$(field "$t/send.json" bytes)" = 0 ] || fail "$what: $(field "$t/send.json" bytes) bytes"
what="hard links, one was lost"; rm "$t/d/l/b" "$t/d/l/sub/c"; echo other >"$t/d/l/sub/c"
push -a --overwrite=differ "$t/l"
[ "$(links_of "$t/l")" = "$(links_of "$t/d/l")" ] || fail "$what: $(links_of "$t/d/l")"
what="hard links, a first name that is left alone and is another"
echo mine >"$t/d/l/a"
echo mine >"$t/d/l/b"
rm "$t/d/l/sub/c"
wanted=23 push -a --overwrite=skip "$t/l"
expect_in "$t/recv.err" "a hard link to a file that is not here as it was sent"
what="hard links, a first name that fails"; fresh; mkdir -p "$t/d/l"; mkdir "$t/d/l/a" "$t/d/l/b"
wanted=23 push -a "$t/l"
[ -e "$t/d/l/other" ] || fail "$what: nothing of the others"
# Its other names fail with it, unless the sender hears of it before their turn: then the next is the first.
grep -qF "a hard link to a file that has failed" "$t/recv.err" || [ -e "$t/d/l/sub/c" ] || fail "$what: $(cat "$t/recv.err")"
what="hard links, many of a large one"; fresh; mkdir "$t/many"; random_file "$t/many/0" 3000000
for i in $(seq 100); do ln "$t/many/0" "$t/many/$i"; done
push -a --bwlimit=3M --block-size=1M "$t/many"; same "$t/many" "$t/d/many" --all
what="the mask of an ACL that is not kept is nobody's right"
fresh
echo x >"$t/masked"
chmod 640 "$t/masked"
setfacl -m u:daemon:rw "$t/masked"
[ "$(stat -c %a "$t/masked")" = 660 ] || fail "$what: no mask"
recv_options=-p push -a "$t/masked"
[ "$(stat -c %a "$t/d/masked")" = 640 ] || fail "$what: $(stat -c %a "$t/d/masked")"
what="hard links without -a"; fresh; push -r -p "$t/l"; tree same "$t/l" "$t/d/l" --times || fail "$what"
[ -z "$(find "$t/d/l" -type f -links +1)" ] || fail "$what"
what="hard links of several sources"
fresh
push -a "$t/l/a" "$t/l/b"
[ "$t/d/a" -ef "$t/d/b" ] || fail "$what"

# More than 64 KiB in one entry: without them, and told.
what="too many"
fresh
rm -rf "/dev/shm/${t##*/}"
mkdir "/dev/shm/${t##*/}"
many=/dev/shm/${t##*/}/many
echo x >"$many"
trap 'rm -rf "/dev/shm/${t##*/}"; cleanup' EXIT
if python3 -c 'import os, sys; [os.setxattr(sys.argv[1], f"user.{i}", b"x" * 60000) for i in range(2)]' "$many" 2>/dev/null; then
  recv_options=-a push -a "$many"
  expect_in "$t/send.err" "extended attributes could be kept: they are over 64 KiB"
else echo "tmpfs holds no 64 KiB of attributes: left out"; fi

what="a pipe"
status_of "$ZRECV" -a zs://127.0.0.1:1 - 2>"$t/e.err"
expect_status 2 "$what"
expect_in "$t/e.err" "-a and '-' exclude each other"
