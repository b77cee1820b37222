# What may happen to a pipe and to the other side meanwhile: a producer that writes now and then, that is
# killed, a receiver that dies while nothing comes, a full disk, memory.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; mkfifo "$t/pipe"
gone() { ! kill -0 "$1" 2>/dev/null; }
# arrived BYTES: so much of it is in the receiver's temporary file.
arrived() { local f; for f in "$t/d"/.zrecv-*; do [ -e "$f" ] && [ "$(stat -c %s "$f")" -ge "$1" ] && return; done; return 1; }

for mode in "${modes[@]}"; do
  # A line now, a line later: each is there while the producer lives, however long it is silent.
  start_recv $mode --timeout 1 "$t/d"
  "$ZSEND" $mode --timeout 1 --name log --size 16 - "zs://127.0.0.1:$port" <"$t/pipe" 2>"$t/send.err" & send=$!; started+=($send)
  exec 9>"$t/pipe"
  printf 'one\n' >&9; until_true arrived 4
  # Progress goes by the guess, on both sides.
  for side in send recv; do
    kill -USR1 ${!side}; until_true grep -q " 25% 4 B of 16 B" "$t/$side.err"
  done
  since=$SECONDS; silent() { [ $((SECONDS - since)) -ge 4 ]; }; until_true silent
  printf 'two\n' >&9; until_true arrived 8
  ! gone $send && ! gone $recv || fail "a silent producer ended it"
  exec 9>&-
  wait_for $send; expect_status 0 zsend; wait_for $recv; expect_status 0 zrecv
  [ "$(cat "$t/d/log")" = "one
two" ] || fail "the log is $(cat "$t/d/log")"; rm "$t/d/log"

  # Either side is killed, or interrupted, while nothing comes: the other ends soon.
  for signal in KILL INT; do
    for victim in send recv; do
      [ $victim = send ] && other=recv || other=send
      start_recv $mode --timeout=1 "$t/d"
      "$ZSEND" $mode --timeout=1 - "zs://127.0.0.1:$port" <"$t/pipe" 2>"$t/send.err" & send=$!; started+=($send)
      exec 9>"$t/pipe"
      printf 'one\n' >&9; until_true arrived 4
      kill -$signal ${!victim}; wait_for ${!victim}
      wait_for ${!other}; expect_status 5 "the other of $victim after $signal"
      expect_in "$t/$other.err" "error: "
      exec 9>&-
      rm -f "$t/d"/.zrecv-*; expect_only "$t/d" ""
    done
  done
done

# A producer of '-' that is killed has ended, as for every pipe: that is what --exec is for.
start_recv -q "$t/d"
sh -c 'printf part; kill -9 $$' | "$ZSEND" -q - "zs://127.0.0.1:$port" 2>"$t/send.err" || fail "zsend"
wait_for $recv; expect_status 0; [ "$(cat "$t/d/stdin")" = part ] || fail "what came of it"; rm "$t/d/stdin"

# A disk that fills up: both say so, nothing stays, and the producer is not waited for.
mkdir "$t/mnt"; random_file "$t/f" 20000000
if mount -t tmpfs -o size=4m tmpfs "$t/mnt" 2>/dev/null; then
  for mode in "${modes[@]}"; do
    start_recv $mode "$t/mnt"
    (cat "$t/f"; exec sleep 1000) >"$t/pipe" 2>/dev/null & producer=$!; started+=($producer)
    status_of "$ZSEND" $mode - "zs://127.0.0.1:$port" <"$t/pipe" 2>"$t/send.err"; expect_status 7 "zsend to a full disk"
    wait_for $recv; expect_status 7 "zrecv on a full disk"
    expect_in "$t/recv.err" "No space left"; expect_in "$t/send.err" "No space left"; expect_only "$t/mnt" ""
    kill $producer 2>/dev/null || true
  done
fi

# Memory: of 1 GiB no more than the window and what a program always needs, and no more of the system's.
[ -z "${ZX_SANITIZE:-}" ] && [ -z "${ZX_GUEST:-}" ] || exit 0
start_recv -q --plain --no-auth --durability=none "$t/d"
python3 - "$t/f" "$ZSEND" -q --plain --no-auth --durability=none - "zs://127.0.0.1:$port" <<'P' || fail "memory of zsend"
import ctypes, os, subprocess, sys, threading
window = 32 << 20
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, preexec_fn=lambda: ctypes.CDLL(None).prctl(1, 9))
with open(sys.argv[1], "rb") as f:
    piece = f.read(1 << 24)
def feed():
    for _ in range(64):
        child.stdin.write(piece)
    child.stdin.close()
feeder = threading.Thread(target=feed)
feeder.start()
spool = peak = looks = 0
folder = f"/proc/{child.pid}/fd"
while feeder.is_alive():
    for name in os.listdir(folder):
        try:
            if "zsend-spool" in os.readlink(f"{folder}/{name}"):
                spool = max(spool, os.stat(f"{folder}/{name}").st_blocks * 512)
                looks += 1
        except OSError:
            pass
    feeder.join(0.01)
_, status, usage = os.wait4(child.pid, 0)
print(f"{usage.ru_maxrss} KiB, window {spool >> 10} KiB in {looks} looks")
assert status == 0 and looks > 0 and 0 < spool <= window + (1 << 20) and usage.ru_maxrss <= 65536
P
wait_for $recv; expect_status 0
[ "$(stat -c %s "$t/d/stdin")" = $((1 << 30)) ] || fail "size $(stat -c %s "$t/d/stdin")"
