# A record that was changed on the way ends the transfer with 3 at the receiver, a stream that ends within
# a record with 5 on both sides. Nothing is committed and nothing stays.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ktls.sh"
random_file "$t/f" 12000000
for way in push pull; do
  proxy_options=(flip 6000000); errors=$(tls_counter TlsDecryptError)
  begin $way "$t/f"
  wait_for "$recv"; expect_status 3 "zrecv, $way of a tampered stream"
  wait_for "$send"; [ "$status" = 3 ] || [ "$status" = 5 ] || fail "zsend ended with $status, $way of a tampered stream"
  echo "$way, tampered: zrecv 3, zsend $status: $(tail -1 "$t/recv.err")"
  proxy_did flip || fail "the fault did not fire"; kill "$proxy"
  expect_only "$t/d" ""
  [ $kernel_tls = no ] || [ "$(tls_counter TlsDecryptError)" -gt "$errors" ] || fail "TlsDecryptError did not rise"

  proxy_options=(cut 6000000)
  begin $way "$t/f"
  end 5 5 "$way of a stream that was cut"
  grep -q '^cut at' "$t/proxy" || fail "the fault did not fire"
  expect_only "$t/d" ""
done
