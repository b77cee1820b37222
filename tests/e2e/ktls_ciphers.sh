# Each suite, pushed and pulled: what arrives is equal, both summaries say kernel TLS and zero-copy on both
# sides, and the kernel says so of both sockets. Without kernel TLS: the fallback, and why.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ktls.sh"
command -v ss >/dev/null || skip "no ss"
# Sizes round the edges of a block and of a record, and a file with holes between its data.
block=1048576; mkdir "$t/src"
for size in 0 1 16384 $((block - 1)) $block $((block + 1)) $((3 * block + 4097)); do
  random_file "$t/src/f$size" "$size"
done
random_file "$t/src/holes" 100001; truncate -s 20M "$t/src/holes"
dd if="$t/src/f$block" of="$t/src/holes" bs=1M seek=12 conv=notrunc status=none
for suite in aes128:TLS_AES_128_GCM_SHA256:aes-gcm-128 aes256:TLS_AES_256_GCM_SHA384:aes-gcm-256 \
  chacha20:TLS_CHACHA20_POLY1305_SHA256:chacha20-poly1305; do
  IFS=: read -r option name kernel_name <<<"$suite"
  case $kernel_tls:$option:$(uname -r) in yes:chacha20:5.10.*) continue ;; esac  # since 5.11
  send_options=("$on" --tls-cipher="$option" --block-size=1M) recv_options=("$on" --tls-cipher="$option")
  for way in push pull; do
    rm -f "$t"/d/*; proxy_options=(hold 4000000)
    errors=$(tls_counter TlsDecryptError)
    begin $way "$t"/src/*
    until_true proxy_did hold; sockets=$(tls_sockets "$kernel_name"); kill -USR1 "$proxy"
    end 0 0 "$option $way"
    diff -r "$t/src" "$t/d" >"$t/diff.err" || fail "what arrived differs ($option $way)"
    [ "$(stat -c %b "$t/d/holes")" -lt 10000 ] || fail "the holes were filled"
    for side in send recv; do
      path_is "$t/$side.json" tls=$tls tls_peer=$tls cipher="$name" tx=$tx rx=$rx
    done
    if [ $kernel_tls = yes ]; then
      [ "$(id -u)" != 0 ] || [ "$sockets" -ge 2 ] || fail "the kernel knows of $sockets TLS sockets ($option $way)"
      [ "$(tls_counter TlsDecryptError)" = "$errors" ] || fail "TlsDecryptError rose"
    else
      expect_in "$t/send.json" "zsend: TLS in user space: the kernel has no TLS"
      expect_in "$t/send.json" "zrecv: TLS in user space: the kernel has no TLS"
    fi
  done
done
