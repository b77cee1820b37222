# Standard input as a source: exact content of any length, by every engine, under the name it is given.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" $large

# arrives FILE NAME: what was sent is FILE, under NAME and nothing else; both sides have ended well.
arrives() {
  expect_status 0 zsend; wait_for "$recv"; expect_status 0 zrecv
  expect_same "$1" "$t/d/$2"; expect_only "$t/d" "$2"
}
# send MODE OPTION... : zsend of standard input; sets $status.
send() {
  local mode=$1; shift
  status_of "$ZSEND" $mode "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"
}

for mode in "${modes[@]}"; do
  for size in 0 1 1048575 1048576 1048577 $large; do
    head -c $size "$t/f" >"$t/part"
    start_recv $mode "$t/d"
    cat "$t/part" | { send "$mode" --digest="$t/sums" --json="$t/send.json" -; echo $status >"$t/status"; }
    status=$(cat "$t/status"); arrives "$t/part" stdin
    [ "$(cat "$t/sums")" = "$(xxhsum -H2 <"$t/part" | cut -d' ' -f1)  stdin" ] || fail "digest of $size: $(cat "$t/sums")"
    [ "$(grep -c '"event":"entry","name":"stdin","bytes":'$size',"status":"ok"' "$t/send.json")" = 1 ] || fail "the entry of $size"
    [ "$(stat -c %a "$t/d/stdin")" = 644 ] || fail "mode $(stat -c %a "$t/d/stdin")"
  done
  for options in --engine=splice --engine=mmap --engine=readwrite --engine=direct --streams=4 --bwlimit=200M --block-size=16M; do
    rm -f "$t/d/stdin"; start_recv $mode "$t/d"
    cat "$t/f" | { send "$mode" $options -; echo $status >"$t/status"; }
    status=$(cat "$t/status"); arrives "$t/f" stdin
  done
  # Fetched, by its name.
  rm -f "$t/d/stdin"
  start_send_of() { cat "$t/f" | "$ZSEND" --listen 127.0.0.1:0 --json="$t/send.json" "$@" - 2>"$t/send.err" & send=$!; started+=($send); }
  rm -f "$t/send.json"; unset ZXFER_KEY; start_send_of $mode --name "a b"
  until_true listening "$t/send.json"
  port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' "$t/send.json")
  ZXFER_KEY=$(sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$t/send.json" | head -1)
  [ -z "$ZXFER_KEY" ] && unset ZXFER_KEY || export ZXFER_KEY
  status_of "$ZRECV" $mode "zs://127.0.0.1:$port/a b" "$t/d" 2>"$t/recv.err"
  expect_status 0 "zrecv of a pull"
  wait_for "$send"; expect_status 0 "zsend of a pull"
  expect_same "$t/f" "$t/d/a b"; expect_only "$t/d" "a b"; rm -f "$t/d/a b"
done

# The connection is replaced again and again while it comes.
start_recv --tls-cipher=aes128 "$t/d"
cat "$t/f" | { send "--tls-cipher=aes128" --rekey-after=1M -v -; echo $status >"$t/status"; }
status=$(cat "$t/status"); arrives "$t/f" stdin
[ "$(grep -c "the connection was replaced" "$t/send.err")" -gt 20 ] || fail "hardly a switch"
rm -f "$t/d/stdin"

# What is no pipe: a file (its size is known), one read past its beginning, one of /proc, a socket.
start_recv "$t/d"; send "" --engine=direct -v - <"$t/f"; arrives "$t/f" stdin; rm "$t/d/stdin"
expect_in "$t/send.err" "direct: asked for by --engine"
start_recv "$t/d"; { dd bs=1000 count=1 status=none of=/dev/null; send "" -; } <"$t/f"
tail -c +1001 "$t/f" >"$t/part"; arrives "$t/part" stdin; rm "$t/d/stdin"
start_recv "$t/d"
cat /proc/version >"$t/part"
send "" - </proc/version
arrives "$t/part" stdin
rm "$t/d/stdin"
start_recv --plain --no-auth "$t/d"
python3 -c '
import socket, subprocess, sys
ours, theirs = socket.socketpair()
child = subprocess.Popen(sys.argv[2:], stdin=theirs)
theirs.close()
with open(sys.argv[1], "rb") as f:
    ours.sendfile(f)
ours.close()
sys.exit(child.wait())' "$t/f" "$ZSEND" --plain --no-auth -v - "zs://127.0.0.1:$port" 2>"$t/send.err" || fail "a socket as standard input"
status=0; arrives "$t/f" stdin; expect_in "$t/send.err" "standard input is not a pipe"; rm "$t/d/stdin"

# Its name: --name, the path over there, and beside files.
head -c 5000 "$t/f" >"$t/part"
start_recv "$t/d"
cat "$t/part" | { send "" --name "x y.tar" -; echo $status >"$t/status"; }
status=$(cat "$t/status")
arrives "$t/part" "x y.tar"
rm "$t/d/x y.tar"
start_recv "$t/d"
cat "$t/part" | "$ZSEND" - "zs://127.0.0.1:$port/new" 2>"$t/send.err" || fail "to a path"
status=0; arrives "$t/part" new; rm "$t/d/new"
printf one >"$t/one"; printf two >"$t/two"
start_recv "$t/d"; cat "$t/part" | { send "" "$t/one" - "$t/two"; echo $status >"$t/status"; }
status=$(cat "$t/status"); expect_status 0; wait_for "$recv"; expect_status 0
expect_only "$t/d" one stdin two; expect_same "$t/part" "$t/d/stdin"; rm "$t/d/"*

# An archive, there and back.
mkdir "$t/tree" "$t/tree2"
cp "$t/one" "$t/two" "$t/tree"
mkdir "$t/tree/sub"
ln -s ../one "$t/tree/sub/link"
start_recv "$t/d"
tar -C "$t/tree" -c . | { send "" --size 20K --name tree.tar -; echo $status >"$t/status"; }
status=$(cat "$t/status"); expect_status 0; wait_for "$recv"; expect_status 0
tar -C "$t/tree2" -xf "$t/d/tree.tar"; diff -r "$t/tree" "$t/tree2" || fail "the tree differs"; rm "$t/d/"*

# Refused before anyone is bothered.
refused() {  # STATUS WORDS COMMAND
  status_of bash -c "$3" 2>"$t/send.err"; expect_status $1 "$3"; expect_in "$t/send.err" "$2"
  [ "$(wc -l <"$t/send.err")" = 1 ] || fail "not one line: $3"
}
to="--plain --no-auth zs://127.0.0.1:1"
refused 2 "only once" "'$ZSEND' - - $to"
refused 6 "standard input: not open for reading" "'$ZSEND' - $to <&-"
refused 6 "standard input: not open for reading" "'$ZSEND' - $to 0>'$t/x'"
refused 6 "standard input: is a directory" "'$ZSEND' - $to <'$t'"
refused 2 "would overwrite" "'$ZSEND' --digest='$t/part' - $to <'$t/part'"
if command -v script >/dev/null; then
  status_of script -qec "'$ZSEND' - $to" /dev/null >"$t/tty" </dev/null; expect_status 2 "a terminal"
  expect_in "$t/tty" "standard input is a terminal"
fi
