# -a: owners, groups, set-id bits, ACLs, extended attributes; all of them only at the word of who receives.
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
  what="push $mode"; fresh; recv_options="-a $mode" push -a $mode "$t/src"; same "$t/src" "$t/d/src" --all; quiet
  what="again, over it $mode"; recv_options="-a $mode" push -a $mode "$t/src"; same "$t/src" "$t/d/src" --all; quiet
done
what="the receiver alone says -a"; fresh; recv_options=-a push -r "$t/src"; same "$t/src" "$t/d/src" --all
what="several streams"; fresh; recv_options=-a push -a --streams=3 --block-size=1M "$t/src"; same "$t/src" "$t/d/src" --all
what="pull"; fresh; start_send -a "$t/src"
status_of "$ZRECV" -a "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"; expect_status 0 "$what"
wait_for "$send"; expect_status 0 "$what"; same "$t/src" "$t/d/src" --all
what="one file"; fresh; recv_options=-a push -a "$t/src/owned/set-id"
[ "$(stat -c '%u:%g %a' "$t/d/set-id")" = "2:3 6711" ] || fail "$what: $(stat -c '%u:%g %a' "$t/d/set-id")"

# What was there before has no say.
what="over what was there"; fresh; mkdir -p "$t/d/src/owned/inner"; echo old >"$t/d/src/owned/file"; chown 7:7 "$t/d/src/owned/file"
python3 -c 'import os, sys; [os.setxattr(p, "user.old", b"x") for p in sys.argv[1:]]' "$t/d/src/owned/file" "$t/d/src/owned/inner"
recv_options=-a push -a "$t/src"; same "$t/src" "$t/d/src" --all
# Nor has a default ACL of the destination.
what="into a default ACL"; fresh; setfacl -d -m u:7:rwX "$t/d"; recv_options=-a push -a "$t/src"; same "$t/src" "$t/d/src" --all

# Without the word of who receives: nothing that gives rights, said once for each kind.
what="only the sender says -a"; fresh; recv_options='' push -a "$t/src"
same "$t/src" "$t/d/src"
[ -z "$(find "$t/d" ! -user root -o ! -group root -o -perm /7000)" ] || fail "$what: $(find "$t/d" ! -user root -o -perm /7000)"
for kind in owner mode acl xattrs; do
  grep -q "\"caveats\":\[[^]]*\"$kind\"" "$t/send.json" || fail "$what: zsend has no caveat $kind"
done
[ "$(grep -c "warning: .*owner or group could not be kept: -a was not given" "$t/recv.err")" = 1 ] || fail "$what: not once"
python3 - "$t/d" <<'PY' || fail "$what: attributes of others"
import os, sys
found = [n for at, d, files in os.walk(sys.argv[1]) for f in files if len(f) < 90 and not os.path.islink(os.path.join(at, f))
         for n in os.listxattr(os.path.join(at, f))]
sys.exit(0 if found and all(n.startswith("user.") or n == "security.selinux" for n in found) else 1)
PY
what="plain -r -p"; fresh; recv_options=-p push -r -p "$t/src"; quiet
[ -z "$(find "$t/d" ! -user root -o ! -group root -o -perm /7000)" ] || fail "$what"

# Who is not root keeps what he may: the files are his, without set-id bits, and 0 all the same.
what="nobody receives"; fresh; chmod 777 "$t"; chown 65534:65534 "$t/d"; cp "$ZRECV" "$t/zrecv"; chmod 755 "$t/zrecv"
cat >"$t/as-nobody" <<SH
#!/bin/sh
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$t/zrecv" "\$@"
SH
chmod 755 "$t/as-nobody"
receiver=$t/as-nobody recv_options=-a push -a "$t/src"
same "$t/src" "$t/d/src"
[ -z "$(find "$t/d" ! -user 65534 -o -perm /6000)" ] || fail "$what: $(find "$t/d" ! -user 65534 -o -perm /6000)"
expect_in "$t/recv.err" "its owner or group could not be kept: Operation not permitted"

# More than 64 KiB in one entry: without them, and told.
what="too many"; fresh; rm -rf "/dev/shm/${t##*/}"; mkdir "/dev/shm/${t##*/}"; many=/dev/shm/${t##*/}/many; echo x >"$many"
trap 'rm -rf "/dev/shm/${t##*/}"; cleanup' EXIT
if python3 -c 'import os, sys; [os.setxattr(sys.argv[1], f"user.{i}", b"x" * 60000) for i in range(2)]' "$many" 2>/dev/null; then
  recv_options=-a push -a "$many"; expect_in "$t/send.err" "extended attributes could be kept: they are over 64 KiB"
else echo "tmpfs holds no 64 KiB of attributes: left out"; fi

what="a pipe"; status_of "$ZRECV" -a zs://127.0.0.1:1 - 2>"$t/e.err"; expect_status 2 "$what"; expect_in "$t/e.err" "-a and '-' exclude each other"
