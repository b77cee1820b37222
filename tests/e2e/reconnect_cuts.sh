# Connections that are cut, at many bytes and in many kinds of session, are only an event: a sample of all such
# cases. The whole, which takes an hour: tests/tools/reconnects.py --full.
. "$(dirname "$0")/lib.sh"
TMPDIR=$t python3 "$ZX_SOURCE_DIR/tests/tools/reconnects.py" || fail "see the findings above"
