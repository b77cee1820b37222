# 20,000 operands with 64 descriptors on each side: all of them arrive, and of what has arrived neither side
# keeps the content, or what it needs while an entry is on its way.
. "$(dirname "$0")/lib.sh"
# Two copies of all, a page for each, where that is memory if there is room.
if [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -1)" -gt 300000 ] 2>/dev/null; then
  rmdir "$t"; t=$(mktemp -d /dev/shm/zx-e2e.XXXXXX)
fi
# The program ends with this parent (PR_SET_PDEATHSIG), so that a failing test leaves nothing.
peak='import ctypes,os,subprocess,sys
p=subprocess.Popen(sys.argv[2:],preexec_fn=lambda: ctypes.CDLL(None).prctl(1,9))
_,st,ru=os.wait4(p.pid,0); open(sys.argv[1],"w").write(str(ru.ru_maxrss)); os._exit(os.waitstatus_to_exitcode(st))'
ulimit -n 64

# transfer COUNT: peaks are in $t/send.COUNT and $t/recv.COUNT, in KiB.
transfer() {
  rm -rf "$t/s" "$t/d" "$t/recv.json"; mkdir "$t/s" "$t/d"; unset ZXFER_KEY
  python3 -c 'import os, sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
  with open(f"{i:05}", "wb") as f: f.write((b"%05d\n" % i * 683)[:i % 4097])' "$t/s" "$1"
  python3 -c "$peak" "$t/recv.$1" "$ZRECV" -q --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!
  started+=("$recv")
  until_true listening "$t/recv.json"
  port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' "$t/recv.json")
  ZXFER_KEY=$(sed -n 's/.*"event":"listening".*"key":"\([^"]*\)".*/\1/p' "$t/recv.json"); export ZXFER_KEY
  status_of python3 -c 'import os, sys
os.chdir(sys.argv[1])
os.execvp(sys.argv[2], [*sys.argv[2:], *sorted(os.listdir()), "zs://127.0.0.1:" + os.environ["port"]])' "$t/s" \
    python3 -c "$peak" "$t/send.$1" "$ZSEND" -q 2>"$t/send.err"
  expect_status 0 "zsend with $1 files"
  wait_for "$recv"; expect_status 0 "zrecv with $1 files"
  diff -rq "$t/s" "$t/d" >"$t/diff.err" || fail "what arrived of $1 files is another"
}
export port
transfer 200
transfer 20000
[ "$(ls "$t/d" | wc -l)" = 20000 ] || fail "not all files arrived"
[ -z "${ZX_SANITIZE:-}" ] || exit 0  # sanitizers multiply memory
# By what memory may grow, in MiB. 200 files do not fill the windows of the protocol, and not the receiver's two
# batches of 4,096 entries, 1.5 KiB each; besides these the sender keeps half a KiB of each operand, the receiver a
# number for each name.
for grown in send:28 recv:16; do
  side=${grown%:*} most=${grown#*:} few=$(cat "$t/${grown%:*}.200") many=$(cat "$t/${grown%:*}.20000")
  echo "$side: $few KiB for 200 files, $many KiB for 20000"
  [ $((many - few)) -le $((most * 1024)) ] || fail "$side grew by more than $most MiB"
done
