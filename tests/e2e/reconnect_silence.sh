# A connection on which nothing moves any more is noticed about when the agreed silence is over, not several times as
# late, on either side and while it sends; then it is made again. All figures: tests/tools/reconnect_times.py.
. "$(dirname "$0")/lib.sh"
TMPDIR=$t python3 "$ZX_SOURCE_DIR/tests/tools/reconnect_times.py" --rounds 1 silence || fail "see the findings above"
