#!/bin/busybox sh
# Process 1 of the initramfs that tests/kernels.sh makes: mounts the disk and hands over to guest.sh there.
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in virtio_pci virtio_blk ext4; do modprobe $module 2>/dev/null; done  # built in, in some kernels
n=0
until [ -b /dev/vda ] || [ $n = 100 ]; do n=$((n + 1)); usleep 100000; done
mount -t ext4 /dev/vda /disk || { echo "no disk"; poweroff -f; }
mkdir -p /disk/lib/modules
cp -r /lib/modules/* /disk/lib/modules/
for folder in proc sys dev; do mount --move /$folder /disk/$folder; done
exec switch_root /disk /zx/tests/kernels/guest.sh
