# A name that is taken when the file gets it: by another entry of the run that the file system holds for the same name,
# or by somebody who came meanwhile. And file systems that cannot rename without replacing.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d" "$t/a" "$t/b"
random_file "$t/a/readme" 1000
random_file "$t/b/README" 2000
random_file "$t/f" 300000
cc -shared -fPIC -O2 -o "$t/odd_fs.so" "$ZX_SOURCE_DIR/tests/tools/odd_fs.c" -ldl || fail "compile"
preload=$t/odd_fs.so
case ${ZX_SANITIZE:-} in *address*) preload="$(cc -print-file-name=libasan.so) $preload" ;; *thread*) preload="$(cc -print-file-name=libtsan.so) $preload" ;; esac
# go FAULTS STATUS OPTIONS SRC...: to $t/d.
go() {
  local faults=$1 wanted=$2 options=$3; shift 3
  ODD_FS=$faults LD_PRELOAD=${faults:+$preload} start_recv --plain --no-auth $options "$t/d"
  status_of "$ZSEND" --plain --no-auth "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status "$wanted" "zsend, $faults"
  wait_for "$recv"; expect_status "$wanted" "zrecv, $faults"
}

# Two names of a run that are one file: new, in place of an old one, and where renames know no flags.
same="'readme' and 'README' are one file here"
for faults in one-case one-case,no-noreplace; do
  for old in "" old; do
    rm -f "$t/d"/*; [ -z "$old" ] || echo old >"$t/d/readme"
    go $faults 23 "" "$t/a/readme" "$t/b/README"
    expect_in "$t/recv.err" "$same"
    expect_in "$t/send.err" "README"
    expect_only "$t/d" readme; expect_same "$t/a/readme" "$t/d/readme"
  done
done
go one-case 23 --overwrite=differ "$t/b/README" "$t/a/readme"; expect_same "$t/b/README" "$t/d/readme"
rm "$t/d/readme"
go one-case 23 --overwrite=never "$t/a/readme" "$t/b/README"
expect_same "$t/a/readme" "$t/d/readme"
go "" 0 "" "$t/a/readme" "$t/b/README"; expect_same "$t/b/README" "$t/d/README"; rm "$t/d"/*

# Two names of one file of the source are no less one here.
mkdir "$t/l"; cp "$t/a/readme" "$t/l/readme"; ln "$t/l/readme" "$t/l/README"
go one-case 23 -a -a "$t/l/readme" "$t/l/README"
expect_in "$t/recv.err" "$same"
expect_only "$t/d" readme
rm "$t/d"/*

# --overwrite=never without RENAME_NOREPLACE: by link, also when the temporary name then cannot be removed; where there
# are no links it is refused before the data.
for error in "" ,einval; do
  go no-noreplace$error 0 --overwrite=never "$t/f"; expect_only "$t/d" f; expect_same "$t/f" "$t/d/f"
  go no-noreplace$error 9 --overwrite=never "$t/f"; expect_in "$t/recv.err" "exists already"; rm "$t/d/f"
  go no-noreplace,no-link$error 6 --overwrite=never "$t/f"
  expect_in "$t/send.err" "can neither rename without replacing nor link"
  expect_in "$t/recv.err" "no --overwrite=never or =skip there"; expect_only "$t/d" ""
  go no-noreplace,no-link$error 0 "" "$t/f"; expect_same "$t/f" "$t/d/f"; rm "$t/d/f"
done
go no-noreplace,no-unlink 6 --overwrite=never "$t/f"
expect_in "$t/send.err" "cannot be removed"
[ ! -e "$t/d/f" ] || fail "failed, and there"
rm -f "$t/d"/.zrecv-*
# When that begins only after the first look the file is there, whatever its other name does.
go no-noreplace,no-unlink,late 0 --overwrite=never "$t/f"
expect_same "$t/f" "$t/d/f"
[ "$(stat -c %h "$t/d/f")" = 2 ] || fail "the fault did not fire"
rm -f "$t/d"/.zrecv-* "$t/d/f"

# Somebody makes the name while the file comes: as if it had been there before.
# meanwhile STATUS OPTIONS COMMAND...: what comes out of a pipe, and the command in the middle of it.
meanwhile() {
  local wanted=$1 options=$2; shift 2
  rm -rf "$t/d/x" "$t/pipe"; mkfifo "$t/pipe"
  start_recv --plain --no-auth $options "$t/d"
  "$ZSEND" --plain --no-auth --name x - "zs://127.0.0.1:$port" <"$t/pipe" 2>"$t/send.err" & send=$!
  started+=("$send")
  exec 8>"$t/pipe"; cat "$t/f" >&8
  until_true eval 'ls -A "$t/d" | grep -q "^\.zrecv-"'
  "$@"; exec 8>&-
  wait_for "$send"; expect_status "$wanted" "zsend, $*"; wait_for "$recv"; expect_status "$wanted" "zrecv, $*"
  ! ls -A "$t/d" | grep -q '^\.zrecv-' || fail "a temporary file stayed"
}
write() { echo other >"$t/d/x"; }
meanwhile 0 "" write; expect_same "$t/f" "$t/d/x"
meanwhile 0 --overwrite=differ write; expect_same "$t/f" "$t/d/x"
meanwhile 9 --overwrite=never write; expect_in "$t/d/x" other; expect_in "$t/send.err" "exists already"
later() { write; touch -d 2037-01-01 "$t/d/x"; }
meanwhile 9 --overwrite=older later; expect_in "$t/d/x" other; expect_in "$t/send.err" "has changed meanwhile"
meanwhile 6 "" mkfifo "$t/d/x"
[ -p "$t/d/x" ] || fail "a FIFO was replaced"
expect_in "$t/send.err" "is a FIFO"
meanwhile 6 "" mkdir "$t/d/x"; expect_in "$t/send.err" "is a directory"
