# What --ktls=auto makes of the kernel's AES: not used as long as it is the generic C code, with the reason; used
# when it has the CPU's instructions. On kernels up to 6.18 these are a module that only udev loads.
. "$ZX_SOURCE_DIR/tests/e2e/lib.sh"
. "$ZX_SOURCE_DIR/tests/e2e/lib_ktls.sh"
if [ $kernel_tls = no ]; then echo "without TLS"; exit 0; fi
random_file "$t/f" 1000000
send_options=(-v --tls-cipher=aes128) recv_options=(-v --tls-cipher=aes128)
go() { rm -f "$t/d/f"; begin push "$t/f"; end 0 0 "$1"; expect_same "$t/f" "$t/d/f"; }
driver() { awk '$1 == "name" {n = $3} $1 == "driver" {d = $3} $1 == "priority" && n == "gcm(aes)" && $3 + 0 >= p + 0 {p = $3; best = d} END {print best}' /proc/crypto; }
instructions=no
grep -qw aes /proc/cpuinfo && grep -qw pclmulqdq /proc/cpuinfo && instructions=yes
go "before"
echo "AES instructions: $instructions; before: $(driver), $(field "$t/send.json" tls)"
if [ $instructions = no ]; then
  path_is "$t/send.json" tls=user; expect_in "$t/send.err" "the kernel's AES is the generic C code (--ktls=on uses it all the same)"
elif [[ $(driver) == *generic* && $(driver) != *aesni* ]]; then
  path_is "$t/send.json" tls=user; expect_in "$t/send.err" "module 'aesni_intel' is not loaded"
else
  path_is "$t/send.json" tls=ktls
fi
modprobe aesni-intel 2>/dev/null || true
go "after"
echo "after modprobe aesni-intel: $(driver), $(field "$t/send.json" tls)"
if [ $instructions = no ]; then path_is "$t/send.json" tls=user; else path_is "$t/send.json" tls=ktls; fi
