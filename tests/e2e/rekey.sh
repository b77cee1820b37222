# Before a key has protected too much its connection is replaced, in the middle of a file too: content is
# equal, and there is one session with one summary. By the kernel (not where it has no TLS) and in user space
# (not in the guest of tests/uml, which is slow), pushed and pulled.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ktls.sh"
random_file "$t/small" 100; : >"$t/empty"; truncate -s 20000000 "$t/holes"
random_file "$t/part" 2000000; dd if="$t/part" of="$t/holes" bs=1000000 seek=7 conv=notrunc status=none
random_file "$t/f" $((40 << 20)); random_file "$t/after" 3000000
forms=(); [ $kernel_tls = no ] || forms+=(--ktls=on)
[ -n "${ZX_GUEST:-}" ] || forms+=(--ktls=off)
for form in "${forms[@]}"; do
  for way in push pull; do
    rm -f "$t"/d/*; proxy_options=(pass 0)
    send_options=("$form" --tls-cipher=aes128 --rekey-after=4M --block-size=1M)
    recv_options=("$form" --tls-cipher=aes128 --rekey-after=4M --block-size=1M)
    installed=$(tls_counter TlsTxSw) errors=$(tls_counter TlsDecryptError)
    begin $way "$t/small" "$t/f" "$t/empty" "$t/holes" "$t/after"
    end 0 0 "$form $way"
    for f in small f empty holes after; do expect_same "$t/$f" "$t/d/$f"; done
    expect_only "$t/d" after empty f holes small
    used=user; [ "$form" = --ktls=off ] || used=ktls
    path_is "$t/send.json" tls=$used tls_peer=$used files=5 exit=0
    path_is "$t/recv.json" tls=$used tls_peer=$used files=5 exit=0
    # 45 MB and not more than a block above 4 MiB in each connection.
    echo "$form $way: $(connections) connections"
    [ "$(connections)" -ge 9 ] || fail "only $(connections) connections ($form $way)"
    if [ "$used" = ktls ]; then
      [ $(($(tls_counter TlsTxSw) - installed)) -ge $((2 * $(connections))) ] || fail "not each connection had kernel TLS"
      [ "$(tls_counter TlsDecryptError)" = "$errors" ] || fail "TlsDecryptError rose"
    fi
  done
done
[ -z "${ZX_GUEST:-}" ] || exit 0

# One file under another name, and its digest is over all of it.
often=(--tls-cipher=aes128 --rekey-after=1M --block-size=1M)
rm -f "$t"/d/*; start_recv -q "${often[@]}" "$t/d"
status_of "$ZSEND" -q -T --digest="$t/sums" "${often[@]}" "$t/f" "zs://127.0.0.1:$port/name" 2>"$t/send.err"
expect_status 0 "zsend -T"; wait_for "$recv"; expect_status 0 "zrecv of it"; expect_same "$t/f" "$t/d/name"; expect_only "$t/d" name
[ "$(cut -d' ' -f1 "$t/sums")" = "$(xxhsum -H2 "$t/f" | cut -d' ' -f1)" ] || fail "another digest"

# What may happen while the second connection has begun and has not come through. The survivor says why.
send_options=("${often[@]}" --timeout=1) recv_options=("${often[@]}" --timeout=1)
survivor() {
  wait_for "$1"; [ "$status" = 5 ] || [ "$status" = 10 ] || fail "$2 ended with $status"
  expect_in "$t/$2.err" "error: "
}
begin_proxy() { start_proxy "${proxy_options[@]}"; }
begin_between() { unset ZXFER_KEY; rm -rf "$t/d"; mkdir "$t/d"; begin $way "$t/f"; }
cp "$t/f" "$t/old"
for way in push pull; do
  # What was sent stays, what was not is sent as it is now.
  proxy_options=(hold=0,on=1)
  begin_between; until_true proxy_did hold 1
  dd if="$t/part" of="$t/f" bs=1000000 seek=20 conv=notrunc status=none
  kill -USR1 "$proxy"; end 24 24 "a file that changed, $way"; expect_same "$t/f" "$t/d/f"; cp "$t/old" "$t/f"
  for signal in KILL:137 INT:130; do
    for victim in send recv; do
      [ $victim = recv ] && other=send || other=recv
      begin_between; until_true proxy_did hold 1
      kill -"${signal%:*}" "${!victim}"; wait_for "${!victim}"; expect_status "${signal#*:}" "$victim in between"
      kill -USR1 "$proxy"; survivor "${!other}" $other; kill "$proxy"
      [ $victim$signal != recvKILL:137 ] || rm -f "$t/d"/.zrecv-*  # nothing could run
      expect_only "$t/d" ""
    done
  done
  # All later connections are refused, ended at once, or answered by nobody.
  for fault in refuse= cut=0 hold=0; do
    proxy_options=("$fault,on=1-"); begin_between
    survivor "$send" send; survivor "$recv" recv; kill "$proxy"; expect_only "$t/d" ""
  done
done
