# The record layer is a matter of each side alone: kernel TLS on one and user space on the other, both ways
# round, pushed and pulled.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ktls.sh"
random_file "$t/f" 5000001
for way in push pull; do
  for with in zsend zrecv; do
    if [ $with = zsend ]; then
      send_options=("$on") recv_options=(--ktls=off) send_tls=$tls recv_tls=user use_tx=$tx use_rx=readwrite
    else
      send_options=(--ktls=off) recv_options=("$on") send_tls=user recv_tls=$tls use_tx=readwrite use_rx=$rx
    fi
    rm -f "$t/d/f"
    begin $way "$t/f"
    end 0 0 "$way, --ktls=off but for $with"
    expect_same "$t/f" "$t/d/f"
    path_is "$t/send.json" tls=$send_tls tls_peer=$recv_tls tx=$use_tx rx=$use_rx
    path_is "$t/recv.json" tls=$recv_tls tls_peer=$send_tls tx=$use_tx rx=$use_rx
    other=zrecv; [ $with = zsend ] || other=zsend
    expect_in "$t/send.json" "$other: TLS in user space: --ktls=off"
  done
done
