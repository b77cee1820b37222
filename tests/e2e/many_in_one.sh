# 300,000 files in one directory: the first is there at once, and neither side keeps them in memory but for two numbers a
# name at the receiver. tests/tools/many_in_one.py moves a million.
. "$(dirname "$0")/lib.sh"
[ -z "${ZX_SANITIZE:-}" ] || skip "sanitizers multiply memory"
where=$t
if [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)" -gt 4000000 ] 2>/dev/null; then where=/dev/shm; fi
for count in 200 300000; do
  python3 "$ZX_SOURCE_DIR/tests/tools/many_in_one.py" $count "$where" >"$t/$count" || fail "$count files"
  cat "$t/$count"
done
number() { sed "s/.*\"$2\": \([0-9]*\).*/\1/" "$t/$1"; }
# In MiB; the receiver has two batches of 4,096 entries, 1.5 KiB each.
for most in zsend:10 zrecv:33; do
  grown=$(($(number 300000 "${most%:*}_kib") - $(number 200 "${most%:*}_kib")))
  [ $grown -le $((${most#*:} * 1024)) ] || fail "${most%:*} grew by $grown KiB"
done
[ "$(number 300000 first_s)" -lt 2 ] || fail "the first file came late"
