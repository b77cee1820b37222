# The pages of both programs have an entry under OPTIONS for every option of --help and for no other; every section of
# another page that a page sends its reader to is there; mandoc, where it is installed, has nothing to warn of.
. "$(dirname "$0")/lib.sh"
cd "$ZX_SOURCE_DIR/man"
for p in "$ZSEND" "$ZRECV"; do
  page=$(basename "$p").1
  "$p" --help | sed -n 's/^  \(-[^ ]*\).*/\1/p' | tr , '\n' | sort >"$t/offered"
  [ "$(wc -l <"$t/offered")" -gt 20 ] || fail "not many options in --help of $p"
  awk '/^\.Sh /{on = /OPTIONS$/} on && /^\.It Fl/' "$page" | grep -oE '(It|,) Fl [^ ]+' |
    sed 's/.* //; s/\\//; s/^/-/' | sort >"$t/documented"
  diff "$t/offered" "$t/documented" >"$t/diff.err" || fail "$page documents other options than --help offers"
done
# ".Xr zsend-transfer 7" behind "see NAME in" or "See NAME in".
for page in zsend.1 zrecv.1; do
  tr '\n' ' ' <"$page" | grep -oE '[Ss]ee [A-Z][A-Za-z ]* in \.Xr zsend-transfer 7' | sed -E 's/^[Ss]ee (.*) in .*/\1/' | sort -u >"$t/named"
  [ "$(wc -l <"$t/named")" -ge 5 ] || fail "too few references in $page: the pattern is broken"
  while IFS= read -r name; do grep -qE "^\.S[hs] $name\$" zsend-transfer.7 || fail "$page names a section $name"; done <"$t/named"
done
if command -v mandoc >/dev/null; then
  for page in *.[17]; do
    mandoc -T lint -W warning "$page" >"$t/lint.err" 2>&1 || true
    ! grep -q "^mandoc: $page" "$t/lint.err" || fail "mandoc warns of $page"
  done
fi
