# Connections that are cut, at many bytes and in many kinds of session, are only an event: a sample of all such
# cases. The whole, which takes an hour: tests/tools/reconnects.py --full.
# In a network namespace, if that can be had.
if [ -z "${IN_NETNS:-}" ] && unshare --net true 2>/dev/null; then exec env IN_NETNS=1 unshare --net bash "$0"; fi
. "$(dirname "$0")/lib.sh"
if [ -n "${IN_NETNS:-}" ]; then PATH=$PATH:/usr/sbin:/sbin ip link set lo up; small_sockets; fi
TMPDIR=$t python3 "$ZX_SOURCE_DIR/tests/tools/reconnects.py" || fail "see the findings above"
