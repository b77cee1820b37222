#!/usr/bin/env bash
# ctest: what is particular to kernel TLS, in User-Mode Linux: the same scripts of tests/e2e that show the
# fallback on a kernel without it, and those of guest/ that only make sense there; and block devices.
. "$(dirname "${BASH_SOURCE[0]}")/guest_test.sh"
# no_module comes first, and ktls_option second: it is the first to have the module loaded.
in_guest uml/guest/no_module e2e/ktls_option e2e/ktls_ciphers e2e/ktls_one_side e2e/ktls_certificates e2e/rekey \
  e2e/tampered e2e/ktls_killed_peer uml/guest/engines uml/guest/reconnects uml/guest/splice_skips uml/guest/syscalls uml/guest/netem uml/guest/record_layer uml/guest/block_device
