# Every engine of either side over kernel TLS, on a file system that has direct I/O (ext4 on a loop device):
# content is equal, and the summaries name the engine that was asked for.
. "$ZX_SOURCE_DIR/tests/e2e/lib.sh"
. "$ZX_SOURCE_DIR/tests/e2e/lib_ktls.sh"
[ $kernel_tls = yes ] || fail "no kernel TLS"
splice=$rx  # what becomes of it here
modprobe loop
truncate -s 100M "$t/disk"; mkfs.ext4 -q "$t/disk"; mkdir "$t/mnt"; mount -o loop "$t/disk" "$t/mnt" || fail "no ext4"
rmdir "$t/d"; mkdir "$t/mnt/d"; ln -s mnt/d "$t/d"
random_file "$t/mnt/f" 5000001
for pair in sendfile:splice splice:readwrite mmap:direct readwrite:splice direct:direct; do
  tx=${pair%:*} rx=${pair#*:}
  for way in push pull; do
    [ $way = push ] || [ $pair = direct:direct ] || continue
    rm -f "$t/d/f"
    send_options=(--ktls=on --tls-cipher=aes128 --block-size=1M --engine=$tx)
    recv_options=(--ktls=on --tls-cipher=aes128 --block-size=1M --engine=$rx)
    begin $way "$t/mnt/f"; end 0 0 "$pair $way"
    expect_same "$t/mnt/f" "$t/d/f"
    path_is "$t/send.json" tls=ktls tls_peer=ktls tx=$tx rx=${rx/splice/$splice}; path_is "$t/recv.json" tx=$tx rx=${rx/splice/$splice}
  done
done
