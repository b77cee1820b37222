#!/usr/bin/env bash
# Runs scripts in the guest and reports on each; fails when one does.
#   suite.sh SCRIPT...    e2e/NAME or uml/guest/NAME      as it is
#                         e2e/NAME:tls                    kernel TLS forced where it asks for encryption
#                         e2e/NAME:all                    and where it asks for --plain
# After a forced one the kernel must have been given keys, both ways (a program's trial of what the kernel
# can do counts too), and must have met no record it could not decrypt.
# The lists name what runs here: a script that skips itself counts as failed.
set -eu
tests=$ZX_SOURCE_DIR/tests forced=$TMPDIR/forced
export ZX_GUEST=yes
mkdir -p "$forced/bin"
cp "$ZSEND" "$ZRECV" "$forced/bin/"  # a script may drop its rights, and the build be in a folder of root's own
for name in zsend zrecv; do cp "$tests/uml/force_ktls.sh" "$forced/$name"; chmod 755 "$forced/$name"; done
"$ZSEND" -q --new-key "$forced/key"
chmod 644 "$forced/key"

counter() { awk -v name="$1" '$1 == name {n = $2} END {print n + 0}' /proc/net/tls_stat 2>/dev/null || echo 0; }
failed=0
for item in "$@"; do
  script=${item%%:*} force=${item#"${item%%:*}"}
  begun=${EPOCHREALTIME/./} tx=$(counter TlsTxSw) rx=$(counter TlsRxSw) bad=$(counter TlsDecryptError)
  env=(); [ -z "$force" ] || env=(ZSEND="$forced/zsend" ZRECV="$forced/zrecv" ZX_FORCE="${force#:}")
  status=0
  env "${env[@]}" timeout -k 5 200 bash "$tests/$script.sh" >"$TMPDIR/out" 2>"$TMPDIR/err" || status=$?
  seconds=$(((${EPOCHREALTIME/./} - begun) / 100000))
  tx=$(($(counter TlsTxSw) - tx)) rx=$(($(counter TlsRxSw) - rx)) bad=$(($(counter TlsDecryptError) - bad))
  case $status in 0) word=passed ;; 77) word=skipped ;; *) word="failed ($status)" ;; esac
  if [ "$status" = 0 ] && [ -n "$force" ] && { [ $tx = 0 ] || [ $rx = 0 ] || [ $bad != 0 ]; }; then
    word="failed (not done by the kernel)" status=1
  fi
  printf '%-8s %-26s %3d.%d s   TlsTxSw +%d, TlsRxSw +%d, TlsDecryptError +%d\n' "$word" "$item" \
    $((seconds / 10)) $((seconds % 10)) $tx $rx $bad
  sed 's/^/         /' "$TMPDIR/out"  # what it has measured
  [ "$status" = 0 ] || { failed=$((failed + 1)); sed 's/^/         /' "$TMPDIR/err"; }
  find "$TMPDIR" -maxdepth 1 -name 'zx-e2e.*' -exec rm -rf {} +
done
echo "$(($# - failed)) of $# scripts passed in the guest"
[ $# -gt 0 ] && [ $failed = 0 ]
