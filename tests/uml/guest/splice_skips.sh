# Where the kernel's splice loses what recvmsg has left of a record (tests/tools/splice_skips.c), zrecv does
# not use it, whatever was asked for, and says why; the sender does not mind.
. "$ZX_SOURCE_DIR/tests/e2e/lib.sh"
. "$ZX_SOURCE_DIR/tests/e2e/lib_ktls.sh"
[ $kernel_tls = yes ] || fail "no kernel TLS"
cc -shared -fPIC -O2 -o "$t/skips.so" "$ZX_SOURCE_DIR/tests/tools/splice_skips.c" -ldl || fail "compile"
random_file "$t/f" 3000001
printf '#!/bin/sh\nLD_PRELOAD=%s exec %s "$@"\n' "$t/skips.so" "$ZRECV" >"$t/zrecv"; chmod 755 "$t/zrecv"
ZRECV=$t/zrecv
for engine in auto splice; do
  rm -f "$t/d/f"
  send_options=(--ktls=on --tls-cipher=aes128) recv_options=(-v --ktls=on --tls-cipher=aes128 --engine=$engine)
  begin push "$t/f"; end 0 0 "--engine=$engine"
  expect_same "$t/f" "$t/d/f"
  path_is "$t/recv.json" tls=ktls tx=sendfile rx=readwrite
  expect_in "$t/recv.err" "the kernel's splice loses the rest of a TLS record that was read in part"
done
