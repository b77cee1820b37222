# What a file system or a system call filter refuses besides the content: committed, status 0 at both ends, said once
# for each kind. And what is no such refusal stays an error.
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip "no strace"
for n in 1 2 3 4; do random_file "$t/f$n" 99999; done
for n in {10..29}; do echo $n >"$t/s$n"; done
files="f?"

# go SENDER'S AND RECEIVER'S OPTIONS -- INJECT...: sends the four files to $t/d, with these faults at the receiver.
go() {
  local options=() inject=(); rm -rf "$t/d"; mkdir "$t/d"
  while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  for fault in "$@"; do inject+=(-e "inject=$fault"); done
  rm -f "$t/recv.json"
  strace -f -qq -o "$t/trace" -e trace=fchmod,utimensat,fsync,syncfs,fallocate,unlinkat "${inject[@]}" "$ZRECV" --plain --no-auth \
    "${options[@]}" --listen 127.0.0.1:0 --json="$t/recv.json" "$t/d" 2>"$t/recv.err" & recv=$!
    started+=($recv)
  until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
  send_status=0
  "$ZSEND" --plain --no-auth "${options[@]}" --json="$t/send.json" "$t/"$files "zs://127.0.0.1:$port" 2>"$t/send.err" || send_status=$?
  wait_for "$recv"
  grep -q INJECTED "$t/trace" || fail "the fault did not fire: $*"
}
# All is there, and both ends say this once, with all names of it.
expect_committed() {
  expect_status 0 "zrecv $1"; [ "$send_status" = 0 ] || fail "zsend $1 ended with $send_status"
  for n in 1 2 3 4; do expect_same "$t/f$n" "$t/d/f$n"; done
  expect_only "$t/d" f1 f2 f3 f4
  for end in recv send; do
    [ -z "$2" ] || [ "$(grep -c "warning: '.*f.': $2" "$t/$end.err")" = 1 ] || fail "$end does not say once: $2"
    [ -z "$2" ] || grep -q "and 3 more ('.*f.', '.*f.', '.*f.'): $2" "$t/$end.err" || fail "$end does not say how often: $2"
    [ -z "$2" ] || [ "$(grep -c "\"event\":\"entry\".*\"caveats\":\[\"$3\"\]" "$t/$end.json")" = 4 ] || fail "$end: no caveats in JSON"
    expect_in "$t/$end.json" "\"durable\":${4:-true}"
  done
}
go -- fchmod:error=EPERM; expect_committed chmod "its mode could not be set" mode
[ "$(stat -c %a "$t/d/f1")" = 600 ] || fail "the mode is $(stat -c %a "$t/d/f1")"
go -p -- fchmod:error=EPERM; expect_committed "chmod with -p" "its mode could not be set" mode
go -p -- utimensat:error=EOPNOTSUPP; expect_committed utimes "its modification time could not be set" times
for error in EINVAL ENOSYS EPERM; do
  go -- fsync:error=$error; expect_committed "fsync $error" "not durable here" not-durable false
done
go --durability=none -- fallocate:error=EPERM; expect_committed "fallocate EPERM" "" "" false
go -- fallocate:error=EINVAL; expect_committed "fallocate EINVAL" ""
go -- fallocate:error=EIO; expect_committed "fallocate EIO" ""

# A real failure. Of a directory it cannot be undone: who reads the message knows that the names are in place.
go -- fsync:error=EIO:when=1
expect_status 23 "zrecv with a failed fsync"; expect_in "$t/recv.err" "sync to disk: Input/output error"
go -- fchmod:error=EIO; expect_status 6 "zrecv with a failed fchmod"; expect_only "$t/d" ""
go -- fsync:error=EIO:when=5+
expect_status 6 "zrecv with a failed sync of the directory"
expect_only "$t/d" f1 f2 f3 f4
for end in recv send; do
  lost="sync directory: Input/output error; the new content is in place, but may not survive a power cut"
  [ "$(grep -c "error: .*$lost" "$t/$end.err")" = 1 ] || fail "$end does not say once what became of the names"
  grep -q "and 3 more ('.*f2', '.*f3', '.*f4'): .*$lost" "$t/$end.err" || fail "$end does not say which names"
done
# Many small ones have one sync of the file system, and share what comes of it.
files="s??"
go -- syncfs:error=ENOSYS; expect_status 0 "zrecv without syncfs"; expect_in "$t/send.json" '"durable":false'
for end in recv send; do
  [ "$(grep -c '"not-durable"' "$t/$end.json")" = 20 ] || fail "$end does not say it of all"
  grep -q "and 19 more (.*, ...): not durable here" "$t/$end.err" || fail "$end does not say how often"
done
go -- syncfs:error=EIO; expect_status 6 "zrecv with a failed syncfs"; expect_only "$t/d" ""
for end in recv send; do
  [ "$(grep -c 'error: ' "$t/$end.err")" = 1 ] || fail "$end says the same more than once"
  expect_in "$t/$end.err" "and 19 more"
done
files="f?"
# A temporary file that cannot be removed is named.
go -- fsync:error=EIO:when=1 unlinkat:error=EROFS
left=$(ls -A "$t/d" | grep '^\.zrecv-') || fail "there is no temporary file"
expect_in "$t/recv.err" "'$t/d/$left': temporary file left behind: Read-only file system"
