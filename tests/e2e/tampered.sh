# A record that was changed on the way ends the transfer with 3 at the receiver, nothing is
# committed and nothing stays. A stream that ends within a record goes on over another connection; when there is
# none, both sides end with 5, nothing is committed and nothing stays.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ktls.sh"
random_file "$t/f" 12000000
for way in push pull; do
  send_options=("$on" --timeout=1)  # the alert may be lost with the connection
  proxy_options=(flip 6000000); errors=$(tls_counter TlsDecryptError)
  begin $way "$t/f"
  wait_for "$recv"; expect_status 3 "zrecv, $way of a tampered stream"
  wait_for "$send"
  [ "$status" = 3 ] || [ "$status" = 5 ] || fail "zsend ended with $status, $way of a tampered stream"
  echo "$way, tampered: zrecv 3, zsend $status: $(tail -1 "$t/recv.err")"
  proxy_did flip || fail "the fault did not fire"; kill "$proxy"
  expect_only "$t/d" ""
  [ $kernel_tls = no ] || [ "$(tls_counter TlsDecryptError)" -gt "$errors" ] || fail "TlsDecryptError did not rise"

  cut=cut=6000000,fin,record,on=0; [ $way = push ] || cut=$cut,from=listener
  proxy_options=($cut refuse=,on=1-); recv_options=("$on" --timeout=1)
  begin $way "$t/f"
  end 5 5 "$way of a stream that was cut"
  proxy_did cut 0 || fail "the fault did not fire"
  proxy_did refuse || fail "nobody tried again"
  expect_only "$t/d" ""

  proxy_options=($cut); send_options=("$on") recv_options=("$on")
  begin $way "$t/f"
  end 0 0 "$way of a stream that was cut and made again"
  proxy_did cut 0 || fail "the fault did not fire"
  expect_same "$t/f" "$t/d/f"; expect_only "$t/d" f; rm "$t/d/f"
done
