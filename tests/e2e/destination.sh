# cp's rules for DST, the path after zs://host/, and --overwrite.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d" "$t/d/sub"; random_file "$t/f" 1000; random_file "$t/g" 2000
# go RECV_STATUS SEND_STATUS PATH DST [OPTIONS for both]: sends $src
go() {
  local rs=$1 ss=$2 path=$3 dst=$4; shift 4
  start_recv -q --plain --no-auth "$@" "$dst"
  status_of "$ZSEND" -q --plain --no-auth "$@" "${src:-$t/f}" "zs://127.0.0.1:$port$path"
  expect_status "$ss" "zsend $path $dst $*"
  wait_for "$recv"; expect_status "$rs" "zrecv $path $dst $*"
}
go 0 0 "" "$t/d";            expect_same "$t/f" "$t/d/f"
go 0 0 "" "$t/d/new";        expect_same "$t/f" "$t/d/new"
src=$t/g go 0 0 "" "$t/d/new"; expect_same "$t/g" "$t/d/new"
go 0 0 /sub "$t/d";          expect_same "$t/f" "$t/d/sub/f"
go 0 0 /sub/ "$t/d";         expect_same "$t/f" "$t/d/sub/f"
go 0 0 /sub/other "$t/d";    expect_same "$t/f" "$t/d/sub/other"
ln -s "$t/d/sub/other" "$t/link"
src=$t/g go 0 0 "" "$t/link"; expect_same "$t/g" "$t/d/sub/other"; [ -L "$t/link" ] || fail "the operator's link is gone"
# What must not work, and leaves nothing.
go 6 6 /none/x "$t/d";       [ ! -e "$t/d/none" ] || fail "a directory appeared"
go 6 6 /none/ "$t/d"
start_recv -q --plain --no-auth "$t/d"
status_of "$ZSEND" -q --plain --no-auth -T "$t/f" "zs://127.0.0.1:$port/sub" 2>"$t/send.err"
expect_status 6 "-T with a directory"
wait_for "$recv"; expect_status 6
go 9 9 /x "$t/d/new";        expect_same "$t/g" "$t/d/new"
ln -s "$t" "$t/d/out"
go 6 6 /out/evil "$t/d";     [ ! -e "$t/evil" ] || fail "followed a symbolic link below the root"
mkdir "$t/d/dir" "$t/d/dir/f"
go 6 6 /dir "$t/d"
status_of timeout 20 "$ZRECV" --listen 127.0.0.1:0 -T "$t/d"; expect_status 6 "-T with a directory"
status_of timeout 20 "$ZRECV" --listen 127.0.0.1:0 "$t/d/nodir/x"; expect_status 6 "a missing parent"
status_of timeout 20 "$ZRECV" --listen 127.0.0.1:0 "$t/d/nodir/"; expect_status 6 "a missing directory"
# --overwrite, said by either side.
go 9 9 /new "$t/d" --overwrite=never; expect_same "$t/g" "$t/d/new"; expect_in "$t/recv.err" "exists already"
touch -d '2001-01-01' "$t/f"; touch -d '2002-02-02' "$t/d/new"
go 0 0 /new "$t/d" --overwrite=older;  expect_same "$t/g" "$t/d/new"
touch -d '2003-03-03' "$t/f"
go 0 0 /new "$t/d" --overwrite=older;  expect_same "$t/f" "$t/d/new"
go 0 0 /same "$t/d" -p; inode=$(stat -c %i "$t/d/same")
go 0 0 /same "$t/d" --overwrite=differ
[ "$(stat -c %i "$t/d/same")" = "$inode" ] || fail "an equal file was replaced"
go 0 0 /fresh "$t/d" --overwrite=never; expect_same "$t/f" "$t/d/fresh"
! ls -A "$t/d" "$t/d/sub" | grep -q '^\.zrecv' || fail "a temporary file stayed"
go 0 0 /other2 "$t/d" --overwrite=skip; expect_same "$t/f" "$t/d/other2"
# What is left alone, and why: both say it.
# skipped RULE WORDS: $t/g, over $t/d/new
skipped() {
  start_recv --plain --no-auth --overwrite="$1" "$t/d"
  status_of "$ZSEND" --plain --no-auth --json="$t/send.json" "$t/g" "zs://127.0.0.1:$port/new" 2>"$t/send.err"
  expect_status 0 "skipped: $1"
  wait_for "$recv"; expect_status 0 "skipped, zrecv: $1"
  expect_in "$t/send.err" "skipped: $2 (--overwrite=$1)"
  expect_in "$t/recv.err" "skipped: $2 (--overwrite=$1)"
  expect_in "$t/send.json" '"skipped":true'
}
skipped skip "exists already"; expect_same "$t/f" "$t/d/new"
touch -d '2002-02-02' "$t/g"; skipped older "the existing file is not older"; expect_same "$t/f" "$t/d/new"
cp "$t/g" "$t/d/new"
touch -r "$t/g" "$t/d/new"
skipped differ "the existing file has the same size and time"
# A file system that keeps whole seconds: the second run skips.
mkdir "$t/mnt"
if [ "$(id -u)" = 0 ] && truncate -s 20M "$t/img" && mkfs.ext4 -q -I 128 -F "$t/img" 2>/dev/null && mount -o loop "$t/img" "$t/mnt" 2>/dev/null; then
  touch -d '2024-05-05 12:00:00.123456789' "$t/f"
  go 0 0 "" "$t/mnt" -p --overwrite=differ; inode=$(stat -c %i "$t/mnt/f")
  [ "$(stat -c %y "$t/mnt/f" | cut -c 20-29)" = .000000000 ] || fail "this keeps fractions"
  for rule in differ older; do go 0 0 "" "$t/mnt" -p --overwrite=$rule; [ "$(stat -c %i "$t/mnt/f")" = "$inode" ] || fail "sent again: $rule"; done
fi
# Several sources need a directory.
start_recv -q --plain --no-auth "$t/d/one"
status_of "$ZSEND" -q --plain --no-auth "$t/f" "$t/g" "zs://127.0.0.1:$port"; expect_status 9 "two into one"
wait_for "$recv"; expect_status 9 "two into one, zrecv"; expect_in "$t/recv.err" "one': several sources need a directory as destination (--mkdir makes one)"; [ ! -e "$t/d/one" ] || fail "a file appeared"
# --mkdir: DST and what the peer names are directories, made where they are missing; no link is followed below DST.
for dst in one one/; do
  start_recv -q --plain --no-auth --mkdir "$t/made/$dst"
  "$ZSEND" -q --plain --no-auth "$t/f" "$t/g" "zs://127.0.0.1:$port"; wait_for "$recv"; expect_status 0 "--mkdir $dst"
  expect_only "$t/made/one" f g; expect_same "$t/g" "$t/made/one/g"; rm -r "$t/made"
done
start_recv -q --plain --no-auth "$t/d"; "$ZSEND" -q --plain --no-auth --mkdir "$t/f" "zs://127.0.0.1:$port/m1/m2"
wait_for "$recv"; expect_status 0 "--mkdir below the root"; expect_same "$t/f" "$t/d/m1/m2/f"
go 6 6 /out/evil "$t/d" --mkdir; go 6 6 /new/x "$t/d" --mkdir; [ ! -e "$t/evil" ] || fail "made a directory behind a link"
status_of timeout 20 "$ZRECV" --mkdir --listen 127.0.0.1:0 "$t/f/x" 2>"$t/e.err"; expect_status 6 "--mkdir below a file"
mkdir "$t/two"; start_recv -q --plain --no-auth "$t/two"
status_of "$ZSEND" -q --plain --no-auth "$t/f" "$t/g" "zs://127.0.0.1:$port"; expect_status 0 "two into a directory"
wait_for "$recv"; expect_status 0; expect_same "$t/f" "$t/two/f"; expect_same "$t/g" "$t/two/g"
# One of several fails: 23, and the other is there.
mkdir "$t/part" "$t/part/f"; start_recv -q --plain --no-auth "$t/part"
status_of "$ZSEND" -q --plain --no-auth "$t/f" "$t/g" "zs://127.0.0.1:$port"; expect_status 23 "partial"
wait_for "$recv"; expect_status 23 "partial, zrecv"; expect_same "$t/g" "$t/part/g"
