# What only some file systems do: they tell at close(2) that the quota was full, or have times out of range.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "preloading and sanitizers do not go together"
for name in fail_close odd_time; do
  cc -shared -fPIC -O1 -o "$t/$name.so" "$ZX_SOURCE_DIR/tests/tools/$name.c" -ldl || fail "no $name.so"
done
mkdir "$t/d"; random_file "$t/f" 2000000; random_file "$t/g" 3000

# The one that was to be replaced stays; one in place is half written, which is said.
for options in "" --durability=none; do
  echo old >"$t/d/f"; echo old >"$t/d/g"
  LD_PRELOAD=$t/fail_close.so ZX_FAIL_CLOSE=$t/d start_recv --plain --no-auth $options "$t/d"
  status_of "$ZSEND" --plain --no-auth "$t/f" "$t/g" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status 7 zsend
  wait_for "$recv"; expect_status 7 zrecv
  expect_in "$t/recv.err" "f': close: Disk quota exceeded"
  expect_in "$t/recv.err" "g': close: Disk quota exceeded"
  expect_only "$t/d" f g; [ "$(cat "$t/d/f" "$t/d/g")" = "old
old" ] || fail "the old content is gone"
done
LD_PRELOAD=$t/fail_close.so ZX_FAIL_CLOSE=$t/d start_recv --plain --no-auth --inplace "$t/d/f"
status_of "$ZSEND" --plain --no-auth "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err"
expect_status 7 "zsend to --inplace"
wait_for "$recv"; expect_status 7 "zrecv --inplace"
expect_in "$t/recv.err" "f': close: Disk quota exceeded (written in place"

# Nanoseconds that no clock has are none; the file comes.
rm -f "$t"/d/*; touch -d '2011-11-11 11:11:11.5' "$t/f"
start_recv --plain --no-auth -p "$t/d"
status_of env LD_PRELOAD="$t/odd_time.so" "$ZSEND" --plain --no-auth -p "$t/f" "$t/g" "zs://127.0.0.1:$port"; expect_status 0 zsend
wait_for "$recv"; expect_status 0 zrecv; expect_same "$t/f" "$t/d/f"; expect_same "$t/g" "$t/d/g"
[ "$(stat -c %Y "$t/d/f")" = "$(stat -c %Y "$t/f")" ] || fail "another second"
