# --overwrite=differ, older and skip: of a tree that is there already no file is opened by the sender, and what has
# changed comes.
. "$(dirname "$0")/lib.sh"
tree() { python3 "$ZX_SOURCE_DIR/tests/tools/tree.py" "$@"; }
same() { tree same "$@" >"$t/differences" || fail "$1 and $2 differ ($what): $(cat "$t/differences")"; }
fresh() { rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; }
# push OPTIONS -- SOURCES: both programs' statuses are alike.
push() {
  local options=()
  while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  unset ZXFER_KEY
  start_recv -q ${recv_options:-} "$t/d"
  [ -z "${proxy_rules:-}" ] || start_proxy $proxy_rules
  status_of ${tracer:-} "$ZSEND" -q --json="$t/send.json" "${options[@]}" "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"
  [ "$sent" = "$status" ] || fail "zsend ended with $sent, zrecv with $status ($what)"
}
skipped() { grep '"event":"entry"' "$1" | grep -c '"skipped":true' || true; }
# expect_skipped N: at both ends.
expect_skipped() {
  [ "$(skipped "$t/send.json") $(skipped "$t/recv.json")" = "$1 $1" ] ||
    fail "skipped $(skipped "$t/send.json") at zsend, $(skipped "$t/recv.json") at zrecv, not $1 ($what)"
}
tree make "$t/src"
files=$(find "$t/src" -type f -printf x | wc -c)  # names may have newlines

for mode in "" --plain; do
  what="unchanged $mode"; fresh; recv_options="-p $mode"; push -rp $mode -- "$t/src"; expect_status 0 "$what"
  for rule in differ older skip; do
    what="$rule, unchanged $mode"
    push -rp $mode --overwrite=$rule -- "$t/src"
    expect_status 0 "$what"; same "$t/src" "$t/d/src" --times
    [ "$(skipped "$t/send.json")" -ge "$files" ] || fail "$what: $(skipped "$t/send.json") of $files are skipped"
  done
done
recv_options=

# Everything is asked about at once, also a file by its name; what is wanted comes, in directories that have ended too.
what="what has changed"
mkdir "$t/new"; for i in $(seq 40); do mkdir -p "$t/new/$i/deep"; for k in 1 2 3; do echo "$i $k" >"$t/new/$i/deep/$k"; done; done
echo top >"$t/file"
fresh; push -rp -- "$t/new" "$t/file"; expect_status 0 "$what"
echo changed >"$t/new/7/deep/2"; echo new >"$t/new/9/deep/new"; mkdir "$t/new/made"; echo in >"$t/new/made/in"; rm "$t/d/new/11/deep/3"
random_file "$t/new/large" 3000000
push -rp --overwrite=differ -- "$t/new" "$t/file"; expect_status 0 "$what"; same "$t/new" "$t/d/new" --times
expect_skipped 119
[ "$(field "$t/send.json" files)" = 5 ] || fail "$what: $(field "$t/send.json" files) files"
what="the stricter rule counts"
touch -d 2001-01-01 "$t/new/7/deep/1"
recv_options=--overwrite=differ push -rp --overwrite=older -- "$t/new"; expect_status 0 "$what"
expect_skipped 123
recv_options=--overwrite=differ push -rp -- "$t/new"; expect_status 0 "$what"; expect_skipped 122
same "$t/new" "$t/d/new" --times
what="several streams"
random_file "$t/new/large" 9000000
push -rp --overwrite=differ --streams=4 --block-size=1M -- "$t/new"; expect_status 0 "$what"; expect_skipped 122
same "$t/new" "$t/d/new" --times
what="-a, with hard links"
ln "$t/new/1/deep/1" "$t/new/1/deep/linked"
fresh; recv_options=-a push -a -- "$t/new"; expect_status 0 "$what"
echo changed >"$t/new/3/deep/3"
recv_options=-a push -a --overwrite=differ -- "$t/new"; expect_status 0 "$what"; same "$t/new" "$t/d/new" --times
[ "$(stat -c %h "$t/d/new/1/deep/1")" = 2 ] || fail "$what: no hard link"
what="a new name of an unchanged file"; ln "$t/new/1/deep/1" "$t/new/2/deep/third"
recv_options=-a push -a --overwrite=differ -- "$t/new"; expect_status 0 "$what"
[ "$(stat -c %h "$t/d/new/1/deep/1")" = 3 ] || fail "$what: no hard link"
what="one of them cannot be replaced"
mkdir "$t/d/new/4/deep/x"; echo x >"$t/new/4/deep/x"; echo also >"$t/new/5/deep/also"
push -rp --overwrite=differ -- "$t/new"; expect_status 23 "$what"; expect_in "$t/send.err" "is a directory"
rm -r "$t/d/new/4/deep/x"

what="links: unchanged, to another place, for a file and the other way round"
mkdir "$t/links"; ln -s same "$t/links/same"; ln -s there "$t/links/moved"; ln -s abcde "$t/links/was_file"; printf 12345 >"$t/links/was_link"
fresh; push -rp -- "$t/links"; expect_status 0 "$what"
push -rp --overwrite=differ -- "$t/links"; expect_status 0 "$what"; expect_skipped 4
ln -sfn other "$t/links/moved"; rm "$t/d/links/was_file" "$t/d/links/was_link"
printf abcde >"$t/d/links/was_file"; ln -s 12345 "$t/d/links/was_link"
touch -hd 2001-01-01 "$t/links/"* "$t/d/links/"*
push -rp --overwrite=differ -- "$t/links"; expect_status 0 "$what"; same "$t/links" "$t/d/links" --times; expect_skipped 1
rm "$t/d/links/was_file" "$t/d/links/was_link"; printf abcde >"$t/d/links/was_file"; ln -s 12345 "$t/d/links/was_link"
push -rp --overwrite=older -- "$t/links"; expect_status 0 "$what"; same "$t/links" "$t/d/links"; expect_skipped 2

# Connections that are lost while questions, answers and what is wanted are on their way.
what="a lost connection"
rm -rf "$t/many"; mkdir -p "$t/many"
python3 - "$t/many" <<'P'
import os, sys
for d in range(60):
    os.mkdir(f"{sys.argv[1]}/{d}")
    for i in range(50):
        with open(f"{sys.argv[1]}/{d}/{i}", "w") as f:
            f.write("x" * 50)
P
fresh; push -rp -- "$t/many"; expect_status 0 "$what"
stamp=0
for rules in "cut=30000,on=0" "cut=150000,on=0 cut=50000,fin,on=1" "cut=300000,on=0" "cut=2000,on=0,from=listener" \
  "cut=4000,on=0-3,from=listener"; do
  what="a lost connection: $rules"
  stamp=$((stamp + 1)); find "$t/many" -name '*7' -exec touch -d "2020-01-0$stamp" {} +
  proxy_rules=$rules push -rp --overwrite=differ -- "$t/many"
  expect_status 0 "$what"; same "$t/many" "$t/d/many" --times
  expect_skipped $((3000 - $(find "$t/many" -type f -name '*7' | wc -l)))
  [ "$(field "$t/send.json" reconnects)" -gt 0 ] || fail "$what: nothing was lost"
done

# No file is opened, and nothing of a file is read.
command -v strace >/dev/null || skip "no strace"
what="nothing is opened"
tracer="strace -f -e trace=openat,pread64,sendfile,splice -o $t/strace" push -rp --overwrite=differ -- "$t/many"
expect_status 0 "$what"; expect_skipped 3000
grep -q 'openat(.*O_DIRECTORY' "$t/strace" || fail "$what: strace has seen nothing"
! grep -E 'openat\([0-9]+, "[0-9]+"' "$t/strace" | grep -vq O_DIRECTORY || fail "$what: $(grep 'openat([0-9]' "$t/strace" | grep -v O_DIRECTORY | head -3)"
