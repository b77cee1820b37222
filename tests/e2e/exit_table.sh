# One table of exit statuses: the source, the man pages and the README agree.
. "$(dirname "$0")/lib.sh"
sed -n 's/^  [A-Za-z]* = \([0-9]*\),.*/\1/p' "$ZX_SOURCE_DIR/common/base/exit_status.h" | sort -n >"$t/source"
[ "$(wc -l <"$t/source")" = 14 ] || fail "the table in the source was not found"
for page in zsend zrecv; do
  awk '/^\.Sh EXIT STATUS/{on=1;next} /^\.Sh/{on=0} on' "$ZX_SOURCE_DIR/man/$page.1" | sed -n 's/^\.It \(Sy \|Li \|Cm \|\)\([0-9]*\)$/\2/p' | sort -n >"$t/page"
  diff "$t/source" "$t/page" >"$t/diff.err" || fail "$page.1 has another table"
done
awk '/^## Exit/{on=1;next} /^## /{on=0} on' "$ZX_SOURCE_DIR/README.md" | grep -oE '^\| *[0-9]+ \||\| [0-9]+ \|' | tr -dc '0-9\n' | sort -n >"$t/page"
diff "$t/source" "$t/page" >"$t/diff.err" || fail "README has another table"
