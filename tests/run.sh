#!/usr/bin/env bash
# Builds and runs the whole suite: release with warnings as errors, then the same under ASan + UBSan.
# Does everything on a bare Debian 12, packages included.
#   tests/run.sh [--tsan] [PRESET...]     default: release asan; --tsan adds ThreadSanitizer
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
presets=()
for word in "$@"; do
  case $word in
    --tsan) presets+=(release asan tsan) ;;
    *) presets+=("$word") ;;
  esac
done
[ ${#presets[@]} -gt 0 ] || presets=(release asan)
install_packages "${build_packages[@]}" "${test_packages[@]}"

# A test that silently never runs is no test: what is skipped must be what the list says.
check_skips() {
  local preset=$1 log=$2
  { sed -n 's/.*Test *#[0-9]*: \([^ ]*\) .*\*\*\*Skipped.*/\1/p' "$log" || true; } | sort >"$log.skipped"
  sed -n "s/^$preset: *//p" "$root/tests/expected_skips.txt" | sort >"$log.expected"
  if ! diff -u "$log.expected" "$log.skipped"; then
    echo "the tests skipped under $preset are not those of tests/expected_skips.txt" >&2
    return 1
  fi
}

passed=0 failed=0
for preset in "${presets[@]}"; do
  echo "== $preset: building"
  build "$preset" "$preset" -DZX_WERROR=ON -DZX_TESTS=ON
  echo "== $preset: testing"
  log=$(mktemp)
  # detect_leaks needs ptrace, which the programs forbid to other users (they hide keys): root has it.
  ctest --test-dir "$root/build/$preset" -j2 --output-on-failure >"$log" 2>&1 || true
  grep -vE '^ *Start|Passed' "$log" || true
  total=$(sed -n 's/.* tests failed out of \([0-9]*\)$/\1/p' "$log")
  bad=$(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of.*/\1/p' "$log")
  [ -n "$total" ] || { echo "ctest did not finish under $preset" >&2; total=0 bad=1; }
  check_skips "$preset" "$log" || bad=$((bad + 1))
  passed=$((passed + total - bad)) failed=$((failed + bad))
  rm -f "$log" "$log".*
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
