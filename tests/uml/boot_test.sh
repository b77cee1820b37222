#!/usr/bin/env bash
# ctest: boot.sh itself: output and status come back, the host's files are safe, nothing is left behind.
. "$(dirname "${BASH_SOURCE[0]}")/guest_test.sh"
boot=$ZX_SOURCE_DIR/tests/uml/boot.sh
t=$(mktemp -d "${TMPDIR:-/tmp}/zx-uml-test.XXXXXX"); trap 'rm -rf "$t"' EXIT
mkdir "$t/given" "$t/other"; export TMPDIR=$t
fail() { echo "FAIL: $*"; cat "$t"/*.out 2>/dev/null; exit 1; }
# Every process of a guest has its folder, which is in $t, on its command line. A zombie has none.
# Those of one that was killed end by themselves, a moment later where much else runs.
left() { local n=0; while is_left; do n=$((n + 1)); [ $n -lt 50 ] || return 0; read -rt 0.1 <> <(:) || true; done; return 1; }
is_left() { pgrep -f "linux.uml.*uml_dir=$t/" >/dev/null || compgen -G "$t/zx-uml.*" >/dev/null; }

status=0
"$boot" -t 120 -d "$t/given" bash -c 'echo "$1|$2"; echo in >"$3/given/f"; { echo in >"$3/other/f"; } 2>/dev/null; modprobe tls && cat /proc/net/tls_stat >/dev/null && echo loaded
  printf "no newline"; exit 42' x "two words" $'quote \'"\nand line' "$t" >"$t/first.out" || status=$?
[ $status != 125 ] || { echo "skip: User-Mode Linux does not boot here"; exit 77; }
[ $status = 42 ] || fail "status $status, not 42"
printf '%s\n' $'two words|quote \'"\nand line' loaded >"$t/expected"; printf "no newline" >>"$t/expected"
cmp "$t/first.out" "$t/expected" || fail "another output"
[ "$(cat "$t/given/f")" = in ] || fail "the folder that was given was not written to"
[ ! -e "$t/other/f" ] || fail "another folder was written to"
! left || fail "something is left after the end"

# Three times what the whole first one took: it has begun by then.
status=0
"$boot" -t $((3 * SECONDS + 5)) sh -c 'echo begun; sleep 1000' >"$t/late.out" 2>&1 || status=$?
[ $status = 124 ] || fail "status $status after the time, not 124"
grep -q '^begun$' "$t/late.out" || fail "what was said before is lost"
! left || fail "something is left after the time"

"$boot" -t 120 sh -c 'echo begun; yes >/dev/null & sleep 1000' >"$t/term.out" 2>&1 & pid=$!
until grep -qs '^begun$' "$t/term.out"; do kill -0 $pid || fail "ended by itself"; read -rt 0.1 <> <(:) || true; done
kill -TERM $pid; status=0; wait $pid || status=$?
[ $status = 143 ] || fail "status $status after TERM, not 143"
! left || fail "something is left after TERM"

status=0; "$boot" -t 20 -m 3M true >"$t/none.out" 2>&1 || status=$?
[ $status = 125 ] || fail "status $status without memory to boot in, not 125"
! left || fail "something is left after a boot that failed"
echo "boot.sh does what it says"
