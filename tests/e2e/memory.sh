# Peak memory of each side: at most 64 MiB, in both modes.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "sanitizers multiply memory"
mkdir "$t/d"; random_file "$t/f" 300000000
# The program ends with this parent (PR_SET_PDEATHSIG), so that a failing test leaves nothing.
peak='import ctypes,os,subprocess,sys
p=subprocess.Popen(sys.argv[2:],preexec_fn=lambda: ctypes.CDLL(None).prctl(1,9))
_,st,ru=os.wait4(p.pid,0); open(sys.argv[1],"w").write(str(ru.ru_maxrss)); os._exit(os.waitstatus_to_exitcode(st))'
for mode in "" --plain; do
  rm -f "$t/recv.json"; unset ZXFER_KEY
  python3 -c "$peak" "$t/recv.kib" "$ZRECV" -q $mode --block-size=16M --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!
  started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  ZXFER_KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$t/recv.json"); export ZXFER_KEY
  python3 -c "$peak" "$t/send.kib" "$ZSEND" -q $mode --block-size=16M "$t/f" "zs://127.0.0.1:$port"
  wait "$recv"; expect_same "$t/f" "$t/d/f"
  for side in send recv; do
    echo "$side ${mode:-tls}: $(cat "$t/$side.kib") KiB"
    [ "$(cat "$t/$side.kib")" -le 65536 ] || fail "$side $mode used $(cat "$t/$side.kib") KiB"
  done
done
# Several streams: 4 MiB more for each.
for mode in "" --plain; do
  rm -f "$t/recv.json" "$t/d/f"; unset ZXFER_KEY
  python3 -c "$peak" "$t/recv.kib" "$ZRECV" -q $mode --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!
  started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  ZXFER_KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$t/recv.json"); export ZXFER_KEY
  python3 -c "$peak" "$t/send.kib" "$ZSEND" -q --streams=16 $mode "$t/f" "zs://127.0.0.1:$port"
  wait "$recv"; expect_same "$t/f" "$t/d/f"
  for side in send recv; do
    echo "$side ${mode:-tls}, 16 streams: $(cat "$t/$side.kib") KiB"
    [ "$(cat "$t/$side.kib")" -le $((65536 + 15 * 4096)) ] || fail "$side $mode used $(cat "$t/$side.kib") KiB"
  done
done
