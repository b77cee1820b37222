# e2e/ktls_option.sh where the kernel has no TLS and cannot load it, not even for root.
set -eu
grep -qw tls /proc/sys/net/ipv4/tcp_available_ulp && { echo "FAIL: the module is loaded already"; exit 1; }
loader=$(cat /proc/sys/kernel/modprobe)
trap 'echo "$loader" >/proc/sys/kernel/modprobe' EXIT
echo /bin/false >/proc/sys/kernel/modprobe
bash "$ZX_SOURCE_DIR/tests/e2e/ktls_option.sh" | tee "$TMPDIR/no_module.out"
! grep 'kernel TLS: yes' "$TMPDIR/no_module.out" || { echo "FAIL: the module was loaded all the same"; exit 1; }
