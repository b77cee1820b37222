# Sources that are read while something is done to their inode, that say another size than they have, or that another
# process has a lease on: what arrives is their content, with status 0.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"
random_file "$t/f" 40000000; random_file "$t/g" 1000000
note="its inode changed while it was sent"

# while_sent COMMAND...: sends $t/f, and runs the command in the middle of that.
while_sent() {
  start_recv --plain --no-auth --digest="$t/recv.sums" "$t/d"; start_proxy hold 5000000
  "$ZSEND" --plain --no-auth --digest="$t/send.sums" --json="$t/send.json" "$t/f" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!
  started+=("$send")
  stop_in_the_middle "$recv"
  "$@"
  kill -CONT "$recv"; wait_for "$send"; send_status=$status; wait_for "$recv"
}
for change in "ln $t/f $t/other" "chmod 600 $t/f" "mv $t/f $t/moved" "touch -a $t/f" "setfattr -n user.a -v b $t/f"; do
  ! [ "${change%% *}" = setfattr ] || command -v setfattr >/dev/null || continue
  while_sent $change
  expect_status 0 "zrecv ($change)"; [ "$send_status" = 0 ] || fail "zsend ended with $send_status ($change)"
  grep -q "warning: '.*/f': $note" "$t/send.err" || fail "no note ($change)"
  grep -q '"caveats":\["inode"\]' "$t/send.json" || fail "no caveat in JSON ($change)"
  [ -s "$t/send.sums" ] && [ "$(cut -d' ' -f1 "$t/send.sums")" = "$(cut -d' ' -f1 "$t/recv.sums")" ] || fail "another digest ($change)"
  [ ! -e "$t/moved" ] || mv "$t/moved" "$t/f"
  expect_same "$t/f" "$t/d/f"; rm -f "$t/other"
done
# A time that was set back by hand does not hide that the size is another; nor does any of these a change of the time.
while_sent eval 'touch -r "$t/f" "$t/stamp"; echo more >>"$t/f"; touch -r "$t/stamp" "$t/f"'
expect_status 24 "zrecv (grows)"; [ "$send_status" = 24 ] || fail "zsend ended with $send_status (grows)"
while_sent touch "$t/f"; expect_status 24 "zrecv (touch)"

# A file that says 4096 bytes and gives fewer, alone and from standard input.
sys=/sys/kernel/mm/transparent_hugepage/enabled
same() { [ "$(cat "$1")" = "$(cat $sys)" ] || fail "$1 differs"; }  # not by cmp, which goes by the size
if [ -r $sys ]; then
  for engine in "" --engine=sendfile --engine=readwrite; do
    start_recv --plain --no-auth "$t/d"
    status_of "$ZSEND" --plain --no-auth $engine $sys "zs://127.0.0.1:$port" 2>"$t/send.err"
    expect_status 0 "zsend of $sys"
    wait_for "$recv"; expect_status 0 "zrecv of $sys"; same "$t/d/enabled"
  done
  start_recv --plain --no-auth "$t/d"
  status_of "$ZSEND" --plain --no-auth --name in - "zs://127.0.0.1:$port" <$sys 2>"$t/send.err"
  expect_status 0 "zsend of $sys as standard input"
  wait_for "$recv"; expect_status 0; same "$t/d/in"
fi

# A lease (file servers have them) is given up when somebody opens the file, after a moment: who opens it waits. One that is
# not given up within --timeout is a failure of this file only.
lease() {  # PATH SECONDS: holds one, gives it up so long after it was told to; then until it is ended
  rm -f "$t/leased"
  python3 -c '
import fcntl, os, signal, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
def told(*_):
    time.sleep(float(sys.argv[2]))
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
signal.signal(signal.SIGIO, told)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
open(sys.argv[3], "w").close()
while True: signal.pause()' "$@" "$t/leased" 2>"$t/lease.err" & holder=$!
  started+=("$holder"); disown
  until_true eval '[ -e "$t/leased" ] || ! kill -0 $holder 2>/dev/null'
  [ -e "$t/leased" ]
}
send_both() {
  rm -f "$t/d"/*; start_recv --plain --no-auth "$t/d"
  status_of "$ZSEND" --plain --no-auth --timeout 2 "$t/f" "$t/g" "zs://127.0.0.1:$port" 2>"$t/send.err"
  wait_for "$recv"; release
}
release() { kill "$holder"; wait "$holder" 2>/dev/null || true; }
if lease "$t/f" 0.5; then
  send_both; expect_status 0 "zrecv of a leased file"; expect_same "$t/f" "$t/d/f"
  lease "$t/f" 60; send_both
  expect_status 23 "zrecv of a file that stays leased"; expect_same "$t/g" "$t/d/g"
  expect_in "$t/send.err" "another process has a lease on it"
  # One in a directory is waited for alike, and what stays leased fails alone.
  tree() {
    rm -rf "$t/d"/*; start_recv --plain --no-auth "$t/d"
    status_of "$ZSEND" -r --plain --no-auth --timeout 2 "$t/tree" "zs://127.0.0.1:$port" 2>"$t/send.err"
    wait_for "$recv"; release
  }
  mkdir -p "$t/tree/sub"; cp "$t/f" "$t/tree/sub/f"; cp "$t/g" "$t/tree/g"; cp "$t/g" "$t/tree/sub/g"
  lease "$t/tree/sub/f" 0.5; tree
  expect_status 0 "zrecv of a tree with a leased file"
  diff -r "$t/tree" "$t/d/tree" || fail "the tree differs"
  lease "$t/tree/sub/f" 60; tree
  expect_status 23 "zrecv of a tree with a file that stays leased"
  rm "$t/tree/sub/f"; diff -r "$t/tree" "$t/d/tree" || fail "the others did not arrive"
  expect_in "$t/send.err" "tree/sub/f': open: another process has a lease on it"
  # Files that the operator has named wait too.
  "$ZSEND" --new-key "$t/key" 2>"$t/send.err"; lease "$t/key" 0.5
  status_of "$ZSEND" --key-file "$t/key" "$t/f" zs://127.0.0.1:1 2>"$t/send.err"
  expect_status 5 "zsend with a leased key file"
  release
fi
