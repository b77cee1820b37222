# Calls that move less than asked, and calls that are interrupted, change nothing (tests/tools/shortio.c).
. "$(dirname "$0")/lib.sh"
cc -shared -fPIC -O2 -o "$t/shortio.so" "$ZX_SOURCE_DIR/tests/tools/shortio.c" -ldl || fail "compile"
preload=$t/shortio.so
case ${ZX_SANITIZE:-} in *address*) preload="$(cc -print-file-name=libasan.so) $preload" ;; *thread*) preload="$(cc -print-file-name=libtsan.so) $preload" ;; esac
mkdir "$t/d"; random_file "$t/f" 20000003
for mode in "" --plain "--plain --engine=readwrite"; do
  rm -f "$t/recv.json" "$t/d/f" "$t"/calls.*; unset ZXFER_KEY
  SHORTIO_LOG=$t/calls.recv LD_PRELOAD=$preload "$ZRECV" -q $mode --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!
  started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  ZXFER_KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$t/recv.json"); export ZXFER_KEY
  status_of env SHORTIO_LOG="$t/calls.send" LD_PRELOAD="$preload" "$ZSEND" -q $mode "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 0 "zsend $mode"; wait_for "$recv"; expect_status 0 "zrecv $mode"; expect_same "$t/f" "$t/d/f"
  for side in send recv; do
    [ "$(cat "$t/calls.$side")" -gt 20 ] || fail "the faults did not fire at $side $mode"
  done
done
