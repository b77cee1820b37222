#!/usr/bin/env bash
# ctest: scripts of tests/e2e in User-Mode Linux, whose kernel has TLS, with both programs bound to use it.
# Which ones, in what order, and how: suite.sh.
. "$(dirname "${BASH_SOURCE[0]}")/guest_test.sh"
in_guest e2e/sizes:tls e2e/sparse:tls e2e/digest:tls e2e/pull:tls e2e/wrong_key:tls e2e/keys:tls e2e/full_disk:tls \
  e2e/killed_peer:tls e2e/source_faults:tls e2e/exec_send:tls e2e/signals:all e2e/metadata:all e2e/destination:all \
  e2e/partial_commit:all e2e/short_io:all e2e/odd_environment:all
