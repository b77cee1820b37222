# The TLS channel by the kernel against a peer that is OpenSSL: tickets, KeyUpdate, damaged records, a reset
# under a blocked sendfile (tests/unit/record_layer_test.cc).
. "$ZX_SOURCE_DIR/tests/e2e/lib.sh"
ZX_KTLS=required timeout 120 "$ZX_UNIT_TESTS" "record layer*" >"$t/log" || { cat "$t/log" >&2; fail "unit tests"; }
tail -2 "$t/log" | head -1
