# Lost connections under kernel TLS: the records of the one that is lost are in the kernel, and what it has not sent goes
# with it. The same oracle as e2e/reconnect_cuts, a few of its cases.
. "$ZX_SOURCE_DIR/tests/e2e/lib.sh"
. "$ZX_SOURCE_DIR/tests/e2e/lib_ktls.sh"
[ $kernel_tls = yes ] || fail "no kernel TLS"
small_sockets
export ZSEND_OPTIONS="--ktls=on --tls-cipher=aes128" ZRECV_OPTIONS="--ktls=on --tls-cipher=aes128"
TMPDIR=$t python3 "$ZX_SOURCE_DIR/tests/tools/reconnects.py" tls/cut=6000000 'pull/cut=7000000,fin,from=listener' \
  'pipe/cut=9000000,on=0-2' 'streams/cut=2500000,on=0-3' certificates/cut=8000000 || fail "see the findings above"
