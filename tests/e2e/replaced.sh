# What a file takes over from the one it replaces: owner, group, mode and ACL, as when that is written in place; never
# the mode of somebody else's without its owner. In a directory with a default ACL that counts, and the umask does not.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "not root"
command -v setfacl >/dev/null || skip "no setfacl"
chmod 755 "$t"; cp "$ZRECV" "$t/zrecv"; ZRECV=$t/zrecv  # readable by everyone, whatever folder it came from
umask 022; echo new >"$t/f"; chmod 666 "$t/f"
setfacl -m u:1:r "$t/f" 2>/dev/null || skip "no ACLs here"
setfacl -b "$t/f"; chmod 666 "$t/f"
# go DIR [COMMAND...]: receives $t/f there, run by the command.
go() {
  local dir=$1; shift
  [ $# -gt 0 ] || set -- env
  rm -f "$t/recv.json"; : >"$t/recv.json"; chmod 666 "$t/recv.json"
  "$@" "$ZRECV" --plain --no-auth --listen 127.0.0.1:0 --json "$dir" >"$t/recv.json" 2>"$t/recv.err" & recv=$!; started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  status_of "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0 zsend
  wait_for "$recv"; expect_status 0 zrecv; expect_same "$t/f" "$dir/f"
}
expect_file() { [ "$(stat -c '%u:%g %a' "$1")" = "$2" ] || fail "$1 is $(stat -c '%u:%g %a' "$1"), not $2"; }
acl() { getfacl -cpn "$1"; }
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# root: all stays.
mkdir "$t/d"; echo old >"$t/d/f"; chown 65534:65533 "$t/d/f"; chmod 640 "$t/d/f"; setfacl -m u:7:rw,u:8:r "$t/d/f"
before=$(acl "$t/d/f"); go "$t/d"; expect_file "$t/d/f" "65534:65533 660"
[ "$(acl "$t/d/f")" = "$before" ] || fail "another ACL: $(acl "$t/d/f")"
! grep -q warning "$t/recv.err" || fail "a warning"

# The old one has no ACL, and the directory a default one: no ACL.
setfacl -d -m u:7:rwX "$t/d"; setfacl -b "$t/d/f"; chmod 640 "$t/d/f"; go "$t/d"; expect_file "$t/d/f" "65534:65533 640"
[ "$(acl "$t/d/f" | grep -c :7:)" = 0 ] || fail "the default ACL came instead"

# Nobody, in a directory of all: a file of root's is replaced by one of nobody's, with the mode of a new one.
mkdir -m 777 "$t/open"; echo old >"$t/open/f"; chmod 777 "$t/open/f"
go "$t/open" "${nobody[@]}"; expect_file "$t/open/f" "65534:65534 644"
expect_in "$t/recv.err" "warning: 'f': its owner or group could not be kept: Operation not permitted"
# One's own stays as it is, its ACL too.
chown 65534:65534 "$t/open/f"; chmod 640 "$t/open/f"; setfacl -m u:7:rw "$t/open/f"; before=$(acl "$t/open/f")
go "$t/open" "${nobody[@]}"; [ "$(acl "$t/open/f")" = "$before" ] || fail "nobody's ACL: $(acl "$t/open/f")"
setfacl -b "$t/open/f"
# One's own, but of a group that one is not in: what was granted to that is for no other.
chown 65534:65533 "$t/open/f"; chmod 664 "$t/open/f"
go "$t/open" "${nobody[@]}"; expect_file "$t/open/f" "65534:65534 644"
expect_in "$t/recv.err" "could not be kept"
# root, in a sticky directory: what another user has put there does not get the content.
mkdir -m 1777 "$t/sticky"; echo old >"$t/sticky/f"; chown 65534 "$t/sticky/f"; chmod 777 "$t/sticky/f"
go "$t/sticky"; expect_file "$t/sticky/f" "0:0 644"; expect_in "$t/recv.err" "another user's, in a sticky directory"

# A default ACL: as for a file that cp makes there.
for acl in u:7:rwX,g::rwX,m::rwX u:7:rwX,g::rX,m::rX u::rwX,g::rwX,o::-; do
  rm -rf "$t/n"; mkdir "$t/n"; setfacl -d -m "$acl" "$t/n"; cp "$t/f" "$t/n/g"; go "$t/n"
  [ "$(acl "$t/n/f")" = "$(acl "$t/n/g")" ] || fail "default ACL $acl: $(acl "$t/n/f")"
done
