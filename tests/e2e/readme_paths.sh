# Every path that the README names exists.
. "$(dirname "$0")/lib.sh"
cd "$ZX_SOURCE_DIR"
grep -oE '`(common|zsend|zrecv|tests|man)/[A-Za-z0-9_./{},*-]*`' README.md | tr -d '`' | sort -u >"$t/paths"
[ "$(wc -l <"$t/paths")" -ge 10 ] || fail "too few paths: the pattern is broken"
while read -r path; do
  for p in $(eval "echo $path"); do ls -d $p >/dev/null 2>&1 || fail "README names $p, which does not exist"; done
done <"$t/paths"
