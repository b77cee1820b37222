# A peer that does nothing any more is noticed after a quarter of --timeout, and given up after 1.25 of it, whatever way
# the data goes and whoever is stopped.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] && [ -z "${ZX_GUEST:-}" ] || skip "so many programs at once are too slow there"
TMPDIR=$t python3 "$ZX_SOURCE_DIR/tests/tools/timeouts.py" --at-once 12 || fail "see the findings above"
