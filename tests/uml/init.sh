#!/bin/bash
# Process 1 of the guest that boot.sh starts: mounts what a Linux has, runs the command, tells its status.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
job=$(sed -n 's/.*zx_job=\([^ ]*\).*/\1/p' /proc/cmdline)
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin; ln -sf fd/1 /dev/stdout; ln -sf fd/2 /dev/stderr
mount -t tmpfs -o size=85%,mode=755 tmpfs /run
ip link set lo up
stty -F /dev/console -onlcr

# The modules of this kernel are under /usr/lib/uml, where modprobe does not look: give it a root in which
# they are in their place, here and when the kernel itself asks for a module.
mkdir -p /run/bin /run/modules/lib /run/tmp
chmod 1777 /run/tmp
ln -s /usr/lib/uml/modules /run/modules/lib/modules
printf '#!/bin/sh\nexec %s -d /run/modules "$@"\n' "$(command -v modprobe)" >/run/bin/modprobe
chmod 755 /run/bin/modprobe
echo /run/bin/modprobe >/proc/sys/kernel/modprobe

export PATH="/run/bin:$PATH" TMPDIR=/run/tmp HOME=/run/tmp LC_ALL=C.UTF-8
. "$job/command"
[ -z "$writable" ] || mount -t hostfs -o "$writable" none "$writable"
echo "$mark begin"
"$@" </dev/null 2>&1
status=$?
[ -z "$writable" ] || sync
echo "$mark end $status"
# boot.sh ends the machine; process 1 must not return.
while :; do sleep 1000; done
