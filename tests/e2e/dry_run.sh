# -n, at either side: the outcomes and the status are those of the run that follows, and nothing at the destination has
# changed, the times of its directories included.
. "$(dirname "$0")/lib.sh"
tree() { python3 "$ZX_SOURCE_DIR/tests/tools/tree.py" "$@"; }
# What is there, with all times but that at which a file or link was read; this does not count as reading. `old`: makes each directory tell when it is read.
state() {
  python3 - "$t/d" "$@" <<'P'
import os, stat, sys
def look(above, name, path):
    st = os.stat(name, dir_fd=above, follow_symlinks=False)
    is_directory = stat.S_ISDIR(st.st_mode)
    if sys.argv[2:] and is_directory:
        os.utime(name, ns=(10**18, st.st_mtime_ns), dir_fd=above)
        st = os.stat(name, dir_fd=above)
    print(path, oct(st.st_mode), *st[1:7], st.st_atime_ns if is_directory else "", st.st_mtime_ns, st.st_ctime_ns)
    if is_directory:
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME, dir_fd=above)
        for one in sorted(os.listdir(fd)):
            look(fd, one, path + b"/" + os.fsencode(one))
        os.close(fd)
look(None, sys.argv[1], b"")
P
}
# run NAME RECV-OPTIONS -- SEND-OPTIONS -- SOURCES: sets $status; outcomes of both in $t/NAME.send and .recv.
run() {
  local name=$1 recv_options=() options=(); shift
  while [ "$1" != -- ]; do recv_options+=("$1"); shift; done; shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  unset ZXFER_KEY; start_recv "${recv_options[@]}" "$t/d"
  status_of ${as:-} "${send:-$ZSEND}" --json=- "${options[@]}" "$@" "zs://127.0.0.1:$port${below:-}" >"$t/send.json" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"
  [ "$sent" = "$status" ] || fail "zsend ended with $sent, zrecv with $status ($what)"
  outcomes "$t/send.json" >"$t/$name.send"; outcomes "$t/recv.json" >"$t/$name.recv"
}
outcomes() {
  python3 - "$1" <<'P'
import json, sys
out = []
with open(sys.argv[1], encoding="utf-8") as f:
    for event in map(json.loads, f):
        if event["event"] == "deleted":
            out.append(("deleted", event["path"]))
        if event["event"] == "entry":
            # A failure names the temporary file, or not; digests and caveats are of what was written.
            out.append(tuple(str(event.get(key)) for key in ("name_b64", "name", "kind", "bytes", "status", "skipped")))
print(*sorted(out), sep="\n")
P
}
# rehearsal STATUS RECV-OPTIONS -- SEND-OPTIONS -- SOURCES: by the word of the one, then of the other, then in earnest.
rehearsal() {
  local wanted=$1; shift
  local by before options=("$@") first
  before=$(state old)
  for by in send recv; do
    if [ $by = recv ]; then run dry -n "${options[@]}"; else dry_by_sender "${options[@]}"; fi
    expect_status "$wanted" "$what, -n at z$by"
    [ "$(state)" = "$before" ] || fail "$what, -n at z$by: it has changed: $(diff <(echo "$before") <(state))"
    expect_in "$t/send.err" "dry run, nothing was sent: would send"
    expect_in "$t/recv.err" "dry run, nothing was sent: would receive"
    for first in send recv; do
      [ "$(field "$t/$first.json" dry_run)" = true ] || fail "$what: z$first has no dry_run"
      mv "$t/dry.$first" "$t/dry_$by.$first"
    done
  done
  run real "${options[@]}"; expect_status "$wanted" "$what, in earnest"
  [ "$(field "$t/send.json" dry_run)" != true ] || fail "$what: a real run says dry_run"
  for by in send recv; do for first in send recv; do
    diff "$t/real.$first" "$t/dry_$by.$first" >"$t/differences" || fail "$what, -n at z$by: z$first's outcomes differ: $(head -20 "$t/differences")"
  done; done
}
dry_by_sender() {
  local recv_options=()
  while [ "$1" != -- ]; do recv_options+=("$1"); shift; done; shift
  run dry "${recv_options[@]}" -- -n "$@"
}
fresh() { rm -rf "$t/d"; mkdir "$t/d"; }

tree make "$t/src"
what="all is new"; fresh; rehearsal 0 -p -- -rp -- "$t/src"
what="all is there"; rehearsal 0 -p -- -rp -- "$t/src"
what="nothing has changed"; rehearsal 0 -p -- -rp --overwrite=differ -- "$t/src"
what="never"; rehearsal 23 -p -- -rp --overwrite=never -- "$t/src"
what="files by their names"; fresh; echo old >"$t/one"; echo two >"$t/two"
rehearsal 0 -- -p -- "$t/one" "$t/two"
rehearsal 0 -- -p --overwrite=skip -- "$t/one" "$t/two"
what="a new name"; fresh; below=/new rehearsal 0 -- -r -- "$t/src"
what="--mkdir"; fresh; below=/a/b/c rehearsal 0 -- -r --mkdir -- "$t/one"
what="-a, hard links"; fresh; mkdir "$t/linked"; echo x >"$t/linked/a"; ln "$t/linked/a" "$t/linked/b"; ln "$t/linked/a" "$t/linked/c"
rehearsal 0 -a -- -a -- "$t/linked"; rehearsal 0 -a -- -a --overwrite=differ -- "$t/linked"

# Each kind of outcome: new, changed, skipped, refused, not sent, not made.
what="some of each"
fresh; mkdir -p "$t/mix/in the way" "$t/mix/there" "$t/mix/new/deep" "$t/d/mix/there" "$t/d/mix/dir"
echo 1 >"$t/mix/unchanged"; cp -p "$t/mix/unchanged" "$t/d/mix/"; echo 2 >"$t/mix/changed"; echo old >"$t/d/mix/changed"
echo 3 >"$t/mix/in the way/below"; echo file >"$t/d/mix/in the way"; echo 4 >"$t/mix/dir"; echo 5 >"$t/mix/new/deep/f"
mkfifo "$t/mix/fifo"; ln -s nowhere "$t/mix/link"; ln -s elsewhere "$t/d/mix/link"; echo 6 >"$t/mix/there/new"
rehearsal 23 -- -r --overwrite=differ -- "$t/mix"
expect_in "$t/send.err" "is not a directory, and a directory does not replace it"

# What would go, and why it would not.
others() {
  fresh; mkdir -p "$t/d/mix/there/old/deep" "$t/d/mix/gone" "$t/d/mix/new"
  echo 1 >"$t/d/mix/there/old/deep/f"; ln -s / "$t/d/mix/gone/l"; echo 2 >"$t/d/mix/there/kept.o"; echo 3 >"$t/d/mix/x"
}
rm "$t/mix/fifo"; mv "$t/mix/in the way" "$t/mix/was in the way"
what="--delete"; others; rehearsal 0 -r --delete -- -r --exclude=*.o -- "$t/mix"
[ "$(grep -c ^..deleted "$t/real.recv")" = 6 ] || fail "$what: $(cat "$t/real.recv")"
[ "$(field "$t/send.json" deleted)" = 6 ] || fail "$what: not counted"
what="--max-delete"; others; rehearsal 23 -r --delete --max-delete=5 -- -r --exclude=*.o -- "$t/mix"
expect_in "$t/send.err" "6 names would go"
what="--delete, and not all went well"; others; mkfifo "$t/mix/fifo"; rehearsal 23 -r --delete -- -r -- "$t/mix"
expect_in "$t/recv.err" "nothing was deleted, because not everything went well"
what="--delete of what is not there"; fresh; below=/a/b rehearsal 0 -r --delete -- -r --mkdir -- "$t/linked"

# What nobody may read, and where nobody may write, told as in earnest.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  what="no permission"; nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  chmod 755 "$t"; mkdir "$t/bin"; cp "$ZSEND" "$ZRECV" "$t/bin"
  fresh; mkdir -p "$t/closed/sub"; echo 1 >"$t/closed/secret"; echo 2 >"$t/closed/sub/open"; chmod 600 "$t/closed/secret"
  mkdir -p "$t/d/closed/sub"; chmod 777 "$t/d" "$t/d/closed"; chmod 755 "$t/d/closed/sub"
  as="${nobody[*]}" send=$t/bin/zsend rehearsal 23 -- -r -- "$t/closed"
  expect_in "$t/send.err" "secret': open: Permission denied"
  fresh; mkdir -p "$t/d/closed/sub"; chmod 777 "$t/d" "$t/d/closed"; chmod 755 "$t/d/closed/sub"
  chmod 644 "$t/closed/secret"; ln -s x "$t/closed/sub/l"; mkdir "$t/closed/sub/e"
  ZRECV_IN_EARNEST=$ZRECV; printf '#!/bin/sh\nexec %s %s "$@"\n' "${nobody[*]}" "$t/bin/zrecv" >"$t/bin/as_nobody"; chmod 755 "$t/bin/as_nobody"
  : >"$t/recv.json"; rm "$t/recv.json"; chmod 777 "$t"
  ZRECV=$t/bin/as_nobody; rehearsal 23 -- -r -- "$t/closed"
  what="a closed directory of one's own"; fresh; mkdir -p "$t/d/closed/sub"; chmod 555 "$t/d/closed/sub"
  chown -R 65534:65534 "$t/d"; rehearsal 0 -- -r -- "$t/closed"; ZRECV=$ZRECV_IN_EARNEST
fi

# By ssh's words, a pull, and --summary.
what="a pull"; fresh; before=$(state old); unset ZXFER_KEY; start_send -r "$t/src"
status_of "$ZRECV" -q --summary -n -r "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"; expect_status 0 "$what"; wait_for "$send"
expect_in "$t/recv.err" "zrecv: dry run, nothing was sent: would receive"; [ "$(state)" = "$before" ] || fail "$what"
what="--mkdir of its own"; unset ZXFER_KEY; start_recv -n --mkdir "$t/d/x/y"
status_of "$ZSEND" -v "$t/one" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0 "$what"; wait_for "$recv"
expect_in "$t/send.err" "would send '$t/one'"; [ "$(state)" = "$before" ] || fail "$what"

# It is about files.
for words in "zsend -n - zs://127.0.0.1:1" "zsend -n --exec true zs://127.0.0.1:1" "zrecv -n --listen 0 -" \
  "zrecv -n --listen 0 --exec cat" "zrecv -n --inplace --listen 0 $t/one"; do
  set -- $words; program=$ZSEND; [ "$1" = zsend ] || program=$ZRECV; shift
  status_of "$program" "$@" </dev/null 2>"$t/usage.err"; expect_status 2 "$words"
done
what="into a pipe"; unset ZXFER_KEY; start_recv --exec "cat >$t/piped"
status_of "$ZSEND" -n "$t/one" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 9 "$what"; wait_for "$recv"; expect_status 9 "$what"
[ ! -s "$t/piped" ] || fail "$what"
what="out of a pipe"; unset ZXFER_KEY; start_recv -n "$t/d"
status_of "$ZSEND" --exec "echo x" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 9 "$what"; wait_for "$recv"; expect_status 9 "$what"
