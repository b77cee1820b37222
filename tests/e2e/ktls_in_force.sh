# A kernel that only says it does TLS (tests/tools/ktls_liar.c) is found out. Where its own word gives it
# away the record layer stays in user space; where even what is read back is a lie, nothing is received from
# that socket, and no content goes out in clear.
. "$(dirname "$0")/lib.sh"
cc -shared -fPIC -O2 -o "$t/liar.so" "$ZX_SOURCE_DIR/tests/tools/ktls_liar.c" -ldl || fail "compile"
preload=$t/liar.so
case ${ZX_SANITIZE:-} in *address*) preload="$(cc -print-file-name=libasan.so) $preload" ;; *thread*) preload="$(cc -print-file-name=libtsan.so) $preload" ;; esac
random_file "$t/noise" 3000000
{ for i in $(seq 2000); do echo "the marker of this test, line $i"; done; cat "$t/noise"; } >"$t/f"

# lying SIDE LIES COMMAND...: the command, with the library when SIDE is one of LIES.
lying() {
  local side=$1 lies=$2; shift 2
  case " $lies " in
    *" $side "*) exec timeout 60 env LD_PRELOAD="$preload" LIAR="$how" LIAR_LOG="$t/lies.$side" "$@" ;;
    *) exec timeout 60 "$@" ;;
  esac
}

# transfer LIES OPTIONS...: through a relay that records; sets $sent and $received.
transfer() {
  local lies=$1; shift
  rm -rf "$t/d" "$t/recv.json" "$t/send.json" "$t/wire" "$t/relay.log" "$t"/lies.*
  mkdir "$t/d"
  unset ZXFER_KEY
  ( lying recv "$lies" "$ZRECV" --listen 127.0.0.1:0 --timeout 10 --json="$t/recv.json" "$@" "$t/d" ) 2>"$t/recv.err" & recv=$!
  started+=("$recv")
  until_true listening "$t/recv.json"
  port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  ZXFER_KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$t/recv.json"); export ZXFER_KEY
  python3 "$ZX_SOURCE_DIR/tests/tools/relay.py" "$port" "$t/relay.log" --record "$t/wire" & relay=$!
  started+=("$relay")
  until_true test -s "$t/relay.log"
  sent=0
  ( lying send "$lies" "$ZSEND" --timeout 10 --json="$t/send.json" "$@" "$t/f" "zs://127.0.0.1:$(head -1 "$t/relay.log")" ) 2>"$t/send.err" || sent=$?
  received=0; wait "$recv" || received=$?
  kill "$relay"; wait "$relay" 2>/dev/null || true
  for side in $lies; do [ "$(tail -1 "$t/lies.$side")" -gt 0 ] || fail "no lie was told to $side"; done
  ! grep -aqF "the marker of this test" "$t/wire" || fail "content went out in clear ($how, lies to: $lies)"
}

how=set
for lies in send recv "send recv"; do
  transfer "$lies"
  [ "$sent$received" = 00 ] || fail "lies to $lies: zsend $sent, zrecv $received"
  expect_same "$t/f" "$t/d/f"
  for side in $lies; do
    expect_in "$t/$side.json" '"tls":"user"'
    expect_in "$t/$side.json" "not in force"
  done
done
for side in send recv; do
  program=$ZSEND operands=("$t/f" zs://127.0.0.1:9)
  [ $side = send ] || { program=$ZRECV operands=(--listen 127.0.0.1:0 "$t/d"); }
  status_of timeout 20 env LD_PRELOAD="$preload" LIAR="$how" "$program" --ktls=on "${operands[@]}" 2>"$t/$side.err"
  expect_status 3 "$side --ktls=on"
  expect_in "$t/$side.err" "not in force"
done

# Each cipher has a structure of its own to be read back.
how=get
for cipher in aes128 aes256 chacha20; do
  for lies in send recv "send recv"; do
    transfer "$lies" --tls-cipher="$cipher"
    [ "$sent" != 0 ] && [ "$received" != 0 ] || fail "$cipher, lies to $lies: zsend $sent, zrecv $received"
    expect_only "$t/d" ""
  done
done

# A peer that proves to have the key and is gone when the kernel is asked is no fault of this machine.
unset ZXFER_KEY
LD_PRELOAD=$preload LIAR=late start_recv --ktls=on --tls-cipher=aes128 --timeout 10 "$t/d"
status_of env LD_PRELOAD="$preload" LIAR=leave "$ZSEND" --tls-cipher=aes128 "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 9 "zsend that leaves"
still_listens recv "the connection ended during the TLS handshake"
