# Modes: masked without -p, kept with it, never setuid; an existing file keeps its own; -p keeps mtime.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; echo x >"$t/f"; chmod 6755 "$t/f"; touch -d '2011-11-11 11:11:11.123456789' "$t/f"
go() { start_recv -q --plain --no-auth "$@" "$t/d"; "$ZSEND" -q --plain --no-auth "$@" "$t/f" "zs://127.0.0.1:$port"; wait "$recv"; }
umask 027; go
[ "$(stat -c %a "$t/d/f")" = 750 ] || fail "mode $(stat -c %a "$t/d/f"), not 750"
chmod 604 "$t/d/f"; go
[ "$(stat -c %a "$t/d/f")" = 604 ] || fail "the existing file's mode was not kept"
[ "$(stat -c %Y "$t/d/f")" != "$(stat -c %Y "$t/f")" ] || fail "mtime was kept without -p"
go -p
[ "$(stat -c %a "$t/d/f")" = 755 ] || fail "-p: mode $(stat -c %a "$t/d/f"), not 755"
[ "$(stat -c %y "$t/d/f")" = "$(stat -c %y "$t/f")" ] || fail "-p: another mtime"
