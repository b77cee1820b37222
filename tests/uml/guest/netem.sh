# A slow link that loses packets (netem: 50 ms each way, 1 %): kernel TLS, pushed and pulled, with the
# connection replaced on the way; content is equal.
[ -n "${IN_NETNS:-}" ] || { modprobe sch_netem; exec env IN_NETNS=1 unshare --net bash "$0"; }
ip link set lo mtu 9000 up
. "$ZX_SOURCE_DIR/tests/e2e/lib.sh"
. "$ZX_SOURCE_DIR/tests/e2e/lib_ktls.sh"
[ $kernel_tls = yes ] || fail "no kernel TLS"
tc qdisc add dev lo root netem delay 50ms loss 1% || fail "no netem"
random_file "$t/f" 6000001
send_options=("$on" --block-size=1M --rekey-after=4M) recv_options=("$on" --rekey-after=4M)
for way in push pull; do
  rm -f "$t/d/f"; begin $way "$t/f"; end 0 0 "$way"; expect_same "$t/f" "$t/d/f"
  path_is "$t/send.json" tls=$tls tls_peer=$tls; path_is "$t/recv.json" tls=$tls tls_peer=$tls
done
dropped=$(tc -s qdisc show dev lo | sed -n 's/.*(dropped \([0-9]*\),.*/\1/p' | head -1)
echo "$dropped packets lost of $(tc -s qdisc show dev lo | sed -n 's/.* bytes \([0-9]*\) pkt.*/\1/p' | head -1) others"
