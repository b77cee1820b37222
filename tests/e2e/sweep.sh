# Either program fails or is killed at a system call, or what passes between them is harmed: a sample of
# all such cases. The whole, which takes some hours: tests/tools/sweep.py --full.
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip "no strace"
python3 "$ZX_SOURCE_DIR/tests/tools/sweep.py" || fail "see the findings above"
