#!/bin/bash
# Process 1 in QEMU, on the disk of tests/kernels.sh: what a Linux has, then the scripts, then the end.
export PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 TMPDIR=/tmp ZX_GUEST=yes
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin; ln -sf fd/1 /dev/stdout; ln -sf fd/2 /dev/stderr
ip link set lo up
stty -F /dev/console -onlcr
echo "Linux $(uname -r)"

export ZSEND=/zx/bin/zsend ZRECV=/zx/bin/zrecv ZX_UNIT_TESTS=/zx/bin/unit_tests ZX_SOURCE_DIR=/zx ZX_SANITIZE=
# TLS comes with the first question for it, AES instructions with kernels/aes, which is the first.
scripts=(kernels/aes e2e/ktls_option e2e/ktls_ciphers e2e/ktls_one_side e2e/ktls_certificates e2e/rekey e2e/tampered)
if modprobe tls 2>/dev/null || grep -qw tls /proc/sys/net/ipv4/tcp_available_ulp; then
  scripts+=(uml/guest/record_layer uml/guest/engines e2e/sizes:tls e2e/sparse:tls e2e/digest:tls e2e/pull:tls e2e/wrong_key:tls
    e2e/killed_peer:tls e2e/exec_send:tls e2e/signals:all e2e/destination:all)
else
  echo "this kernel has no TLS"
  scripts+=(e2e/sizes e2e/sparse e2e/digest e2e/pull e2e/wrong_key e2e/exec_send)
fi
[ ! -e /zx/only ] || mapfile -t scripts </zx/only
/zx/tests/uml/suite.sh "${scripts[@]}" </dev/null 2>&1
dmesg 2>/dev/null | grep -E 'BUG|WARNING|Oops' && echo "failed   the kernel complains"
echo zx-guest-end
sync
echo o >/proc/sysrq-trigger
while :; do sleep 1000; done
