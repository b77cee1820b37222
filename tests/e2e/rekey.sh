# Before a key has protected too much its connection is replaced, in the middle of a file too: content is
# equal, and there is one session with one summary. By the kernel (not where it has no TLS) and in user space
# (not in the guest of tests/uml, which is slow), pushed and pulled.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ktls.sh"
random_file "$t/small" 100; random_file "$t/f" $((40 << 20)); random_file "$t/after" 3000000
forms=(); [ $kernel_tls = no ] || forms+=(--ktls=on)
[ -n "${ZX_GUEST:-}" ] || forms+=(--ktls=off)
for form in "${forms[@]}"; do
  for way in push pull; do
    rm -f "$t"/d/*; proxy_options=(pass 0)
    send_options=("$form" --tls-cipher=aes128 --rekey-after=4M --block-size=1M)
    recv_options=("$form" --tls-cipher=aes128 --rekey-after=4M --block-size=1M)
    installed=$(tls_counter TlsTxSw) errors=$(tls_counter TlsDecryptError)
    begin $way "$t/small" "$t/f" "$t/after"
    end 0 0 "$form $way"
    for f in small f after; do expect_same "$t/$f" "$t/d/$f"; done
    expect_only "$t/d" after f small
    used=user; [ "$form" = --ktls=off ] || used=ktls
    path_is "$t/send.json" tls=$used tls_peer=$used files=3 exit=0
    path_is "$t/recv.json" tls=$used tls_peer=$used files=3 exit=0
    # 43 MB and not more than a block above 4 MiB in each connection.
    echo "$form $way: $(connections) connections"
    [ "$(connections)" -ge 9 ] || fail "only $(connections) connections ($form $way)"
    if [ "$used" = ktls ]; then
      [ $(($(tls_counter TlsTxSw) - installed)) -ge $((2 * $(connections))) ] || fail "not each connection had kernel TLS"
      [ "$(tls_counter TlsDecryptError)" = "$errors" ] || fail "TlsDecryptError rose"
    fi
  done
done
