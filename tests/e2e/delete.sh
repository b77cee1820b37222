# --delete: after a run that went well the names that the source does not have are gone from the directories that
# were sent whole, and nothing else is. What a hostile sender can do with it is in peer/tree_test.py.
. "$(dirname "$0")/lib.sh"
printf '#!/bin/sh\ncase " $* " in *" -G "*) echo hostname 127.0.0.1; exit ;; *zrecv*) p=%s ;; *) p=%s ;; esac\ncd %s; exec env ${preload:-A=} $p --remote ${below:-}\n' \
  "$ZRECV" "$ZSEND" "$t" >"$t/ssh"; chmod +x "$t/ssh"
# One to be mirrored, and its copy with more in it: a file, a tree, links, odd names, what looks like one of ours.
fresh() {
  [ ! -e "$t/d" ] || chmod -R u+rwx "$t/d"; rm -rf "$t/s" "$t/d" "$t/out"; unset ZXFER_KEY
  mkdir -p "$t/s/a/b" "$t/s/e" "$t/d" "$t/out"; echo 1 >"$t/s/a/1"; echo 2 >"$t/s/2"; ln -s 2 "$t/s/l"; echo kept >"$t/out/secret"
  cp -a "$t/s" "$t/d/s"; echo other >"$t/d/beside"
}
more() {
  mkdir -p "$t/d/s/old/deep/er" "$t/d/s/a/empty" "$t/d/s/$odd"; echo x >"$t/d/s/old/deep/er/f"; echo x >"$t/d/s/old/g"
  echo x >"$t/d/s/a/gone"; echo x >"$t/d/s/$odd/x"; ln -s "$t/out" "$t/d/s/a/b/away"; ln -s "$t/out/secret" "$t/d/s/file"
  mkfifo "$t/d/s/fifo"; echo x >"$t/d/s/a/.zrecv-mine"
}
odd=$'new\nline \xff'
gone=$(printf '%s\n' a/b/away a/empty a/gone fifo file "$odd/x" "$odd" old/deep/er/f old/deep/er old/deep old/g old | wc -l); gone=$((gone - 2))
found() { (cd "$1" && find . -mindepth 1 ! -name '.zrecv-*' | LC_ALL=C sort); }
same_names() { [ "$(found "$t/s")" = "$(found "$t/d/s")" ] || fail "$what: $(found "$t/d/s")"; }
nothing_else() { [ "$(cat "$t/out/secret" "$t/d/beside")" = $'kept\nother' ] && [ -e "$t/d/s/a/.zrecv-mine" ] || fail "$what: more than it may"; }
nothing_gone() { [ -e "$t/d/s/old/deep/er/f" ] && [ -L "$t/d/s/file" ] && [ -e "$t/d/s/a/gone" ] && [ -d "$t/d/s/a/empty" ] || fail "$what: something is gone"; }
# ssh_push OPTIONS... SOURCES, to $t/d or $to; ssh_pull, likewise from $from
export preload=
ssh_push() { status_of timeout 60 "$ZSEND" -S "$t/ssh" --json="$t/send.json" "$@" "host:${to:-$t/d}" 2>"$t/send.err"; expect_status "${wanted:-0}" "$what"; }
ssh_pull() { status_of timeout 60 "$ZRECV" -S "$t/ssh" --json="$t/recv.json" "$@" "host:${from:-$t/s}" "${to:-$t/d}" 2>"$t/recv.err"; expect_status "${wanted:-0}" "$what"; }
push() { # RECEIVER-OPTIONS -- SENDER-OPTIONS SOURCES
  local options=(); while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  start_recv -q "${options[@]}" "$t/d"
  status_of "$ZSEND" --json="$t/send.json" "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"
  [ "$sent" = "$status" ] || fail "zsend ended with $sent, zrecv with $status ($what)"
  expect_status "${wanted:-0}" "$what"
}
expect_deleted() { [ "$(field "$1" deleted)" = "$2" ] || fail "$what: $1 counts $(field "$1" deleted), not $2"; }

what="push by ssh"; fresh; more; ssh_push -r -v --delete "$t/s"
same_names; nothing_else; expect_deleted "$t/send.json" $gone
expect_in "$t/send.err" "zsend: deleted: 's/old/deep/er/f'"; expect_in "$t/send.err" "; $gone deleted; "
[ "$(grep -c '"event":"deleted"' "$t/send.json")" = $gone ] || fail "not an event each"
expect_in "$t/send.json" '"event":"deleted","path":"s/old/deep"'
what="again"; ssh_push -r --delete "$t/s"; same_names; expect_deleted "$t/send.json" 0
what="pull by ssh"; fresh; more; ssh_pull -a -v --delete; same_names; nothing_else
expect_deleted "$t/recv.json" $gone; expect_in "$t/recv.err" "zrecv: deleted: 's/a/gone'"; expect_in "$t/recv.json" '"event":"deleted","path":"s/old"'
what="without --delete"; fresh; more; ssh_push -r "$t/s"; nothing_gone; ssh_pull -r; nothing_gone
what="a listener that was started with it"; fresh; more; push -r --delete -- -r "$t/s"; same_names; nothing_else
expect_deleted "$t/send.json" $gone; expect_deleted "$t/recv.json" $gone
what="both"; fresh; more; push -r --delete -- -a --delete --streams=3 "$t/s"; same_names; nothing_else
what="one that was not"; fresh; more; wanted=9 push -r -- -r --delete "$t/s"; nothing_gone
expect_in "$t/send.err" "nothing was sent, for the receiver was not started with it (there: zrecv --delete -r ...)"
expect_in "$t/recv.err" "zrecv was not started with --delete"
! grep -q '"event":"entry"' "$t/send.json" "$t/recv.json" || fail "something was sent"
what="a sender that listens, and wants it"; fresh; more; start_send -r --delete "$t/s"
status_of "$ZRECV" -r "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"; expect_status 9 "$what"; wait_for "$send"; expect_status 9 "$what"; nothing_gone
what="a receiver that connects, and wants it"; start_send -r "$t/s"
status_of "$ZRECV" -r --delete "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"; expect_status 0 "$what"; wait_for "$send"; same_names; nothing_else
what="--below"; fresh; more; export below="--below $t/d"; to=. wanted=9 ssh_push -r --delete "$t/s"; nothing_gone
expect_in "$t/send.err" "--delete is refused with --below"
export below="--below $t"; from=s ssh_pull -r --delete; same_names; nothing_else; unset below

# Which directories: those that came, and the destination itself only when it is one of them.
what="the contents, of two"; fresh; more; mkdir "$t/s2"; echo 3 >"$t/s2/3"; echo 4 >"$t/4"; to=$t/d/s ssh_push -r --delete "$t/s/." "$t/s2/." "$t/4"
[ "$(found "$t/d/s")" = "$( (found "$t/s"; echo ./3; echo ./4) | LC_ALL=C sort)" ] || fail "$what: $(found "$t/d/s")"; nothing_else
what="-T"; fresh; more; to=$t/d/s ssh_push -r -T --delete "$t/s"; same_names; nothing_else
what="below a directory that is not sent"; fresh; more; ssh_push -r --delete "$t/s/a" "$t/s/2"; nothing_gone
what="a single file"; ssh_push -r --delete "$t/s/2"; nothing_gone
what="a new directory"; fresh; to=$t/d/new ssh_push -r --delete "$t/s"; [ "$(found "$t/s")" = "$(found "$t/d/new")" ] || fail "$what"
what="skipped files are there"; fresh; more; ssh_push -r -p --overwrite=differ --delete "$t/s"; same_names; nothing_else
what="a listed source"; fresh; more; printf 'a\n2\n' >"$t/list"; push -r --delete -- -r --files-from "$t/list" "$t/s"
[ -e "$t/d/a/1" ] || fail "$what"; nothing_gone; echo x >"$t/d/a/more"; push -r --delete -- -r --files-from "$t/list" "$t/s"
[ ! -e "$t/d/a/more" ] && [ -e "$t/d/beside" ] || fail "$what"

# What is excluded stays, at both ends, with what it is in.
what="excluded names"; fresh; more; mkdir "$t/d/s/old/cache" "$t/s/cache"; touch "$t/d/s/x.o" "$t/d/s/old/cache/1" "$t/s/y.o" "$t/d/s/y.o" "$t/d/s/e/z" "$t/d/s/old/z"
ssh_push -r -v --delete --exclude '*.o' --exclude cache/ --exclude /e/z "$t/s"
[ "$(found "$t/d/s" | tr '\n' ' ')" = "./2 ./a ./a/1 ./a/b ./e ./e/z ./l ./old ./old/cache ./old/cache/1 ./x.o ./y.o " ] || fail "$what: $(found "$t/d/s")"
expect_in "$t/send.err" "deleted: 's/old/deep'"
what="by the receiver"; fresh; more; touch "$t/d/s/x.o"; ssh_pull -r --delete --exclude '*.o' --exclude '/old/deep/'
[ -e "$t/d/s/x.o" ] && [ -e "$t/d/s/old/deep/er/f" ] && [ ! -e "$t/d/s/old/g" ] && [ ! -e "$t/d/s/a/gone" ] || fail "$what: $(found "$t/d/s")"
what="patterns that cannot be told"; fresh; more; seq 3000 >"$t/many"
wanted=2 ssh_push -r --delete --exclude-from "$t/many" "$t/s"; wanted=9 push -r --delete -- -r --exclude-from "$t/many" "$t/s"; nothing_gone

# Only when all went well.
if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=65534 --regid=65534 --clear-groups); chmod 755 "$t"; else as=(); fi
what="a file that cannot be sent"; fresh; more; mkfifo "$t/s/pipe"; wanted=23 ssh_push -r --delete "$t/s"; nothing_gone
expect_in "$t/send.err" "nothing was deleted, because not everything went well"; expect_deleted "$t/send.json" 0
what="one that cannot be written"; fresh; more; rm "$t/d/s/2"; mkdir "$t/d/s/2"; wanted=23 ssh_push -r --delete "$t/s"; nothing_gone
what="a directory that cannot be read"; fresh; more; chmod 0 "$t/s/e"
if [ ${#as[@]} -gt 0 ]; then chown -R 65534 "$t/s" "$t/d"; fi
if "${as[@]}" true 2>/dev/null; then
  status_of "${as[@]}" "$ZSEND" -S "$t/ssh" -r --delete "$t/s" "host:$t/d" 2>"$t/send.err"; expect_status 23 "$what"; nothing_gone
  expect_in "$t/send.err" "nothing was deleted"
  what="read-only directories"; fresh; more; if [ ${#as[@]} -gt 0 ]; then chown -R 65534 "$t/s" "$t/d"; fi
  chmod 555 "$t/s/a" "$t/d/s/a"; chmod -R a-w "$t/d/s/old"; chmod 0 "$t/d/s/old/deep"
  touch -d 2001-01-01 "$t/s/a" "$t/s"
  status_of "${as[@]}" "$ZSEND" -S "$t/ssh" -a --overwrite=differ --delete "$t/s" "host:$t/d" 2>"$t/send.err"; expect_status 0 "$what"
  same_names; nothing_else
  [ "$(stat -c '%a %y' "$t/d/s/a")" = "$(stat -c '%a %y' "$t/s/a")" ] || fail "$what: $(stat -c '%a %y' "$t/d/s/a")"
  [ "$(stat -c %y "$t/d/s")" = "$(stat -c %y "$t/s")" ] || fail "the time of a directory"
  if [ ${#as[@]} -gt 0 ]; then
    what="what somebody else owns"; fresh; chown -R 65534 "$t/s" "$t/d"; mkdir "$t/d/s/his"; touch "$t/d/s/his/x" "$t/d/s/mine"; chown 65534 "$t/d/s/mine"
    status_of "${as[@]}" "$ZSEND" -S "$t/ssh" --json="$t/out/json" -r --delete "$t/s" "host:$t/d" 2>"$t/send.err"; chmod 777 "$t/out"
    status_of "${as[@]}" "$ZSEND" -S "$t/ssh" -r --delete "$t/s" "host:$t/d" 2>"$t/send.err"; expect_status 23 "$what"
    [ -e "$t/d/s/his/x" ] && [ ! -e "$t/d/s/mine" ] || fail "$what"
    expect_in "$t/send.err" "s/his/x': delete: Permission denied"
  fi
fi

# --max-delete: all or none.
what="--max-delete"; fresh; more; wanted=23 ssh_push -r --delete --max-delete $((gone - 1)) "$t/s"; nothing_gone
expect_in "$t/send.err" "nothing was deleted: $gone names would go, and --max-delete is $((gone - 1))"; expect_deleted "$t/send.json" 0
wanted=0; what="enough"; ssh_push -r --delete --max-delete $gone "$t/s"; same_names; nothing_else
what="of the receiver"; fresh; more; wanted=23 push -r --delete --max-delete=0 -- -r --delete --max-delete=99 "$t/s"; nothing_gone
wanted=23 ssh_pull -r --delete --max-delete 3; nothing_gone; wanted=0

# What cannot be counted is not deleted.
if [ "$(id -u)" = 0 ] && "${as[@]}" true 2>/dev/null; then
  what="--max-delete, and a closed directory"; fresh; mkdir "$t/d/s/a/closed"; touch "$t/d/s/a/closed/"{1..50}
  chown -R 65534 "$t/s" "$t/d"; chmod 0 "$t/d/s/a/closed"
  status_of "${as[@]}" "$ZSEND" -S "$t/ssh" -r --delete --max-delete=3 --overwrite=differ "$t/s" "host:$t/d" 2>"$t/send.err"
  expect_status 23 "$what"; expect_in "$t/send.err" "nothing was deleted: what would go cannot be counted"
  [ "$(ls "$t/d/s/a/closed" | wc -l)" = 50 ] || fail "$what"
fi

# A mount point below is not entered, and stays; so does what it is in.
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
  printf '#!/bin/sh\nmount -t tmpfs none %s/d/s/old/deep/er; echo x >%s/d/s/old/deep/er/m; mount --bind %s/out %s/d/s/a/empty; "$@"; s=$?; ls %s/d/s/old/deep/er %s/d/s/a/empty; exit $s\n' \
    "$t" "$t" "$t" "$t" "$t" "$t" >"$t/mounted"
  what="mount points"; fresh; more
  status_of unshare -m sh "$t/mounted" "$ZSEND" -q -S "$t/ssh" -r --delete "$t/s" "host:$t/d" >"$t/listed" 2>"$t/send.err"; expect_status 23 "$what"
  expect_in "$t/send.err" "something is mounted there"; expect_in "$t/send.err" "(and 1 more)"
  grep -qx m "$t/listed" && grep -qx secret "$t/listed" || fail "$what: $(cat "$t/listed")"
  [ -d "$t/d/s/old/deep/er" ] && [ ! -e "$t/d/s/old/g" ] && [ ! -e "$t/d/s/a/gone" ] || fail "$what: $(found "$t/d/s")"; nothing_else
fi

# Also when it is mounted where a directory comes: say, because that is not mounted at the source.
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
  for kind in "-t tmpfs none" "--bind $t/out"; do
    printf '#!/bin/sh\nmount %s %s/d/s/e; echo x >%s/d/s/e/p; "$@"; s=$?; ls %s/d/s/e; exit $s\n' "$kind" "$t" "$t" "$t" >"$t/mounted"
    what="a mounted directory that comes: $kind"; fresh; more; mkdir -p "$t/s/e" "$t/d/s/e"
    status_of unshare -m sh "$t/mounted" "$ZSEND" -q -S "$t/ssh" -r --delete "$t/s" "host:$t/d" >"$t/listed" 2>"$t/send.err"
    expect_status 23 "$what"; grep -qx p "$t/listed" || fail "$what: $(cat "$t/listed")"
    expect_in "$t/send.err" "is in a file system that is mounted there"; rm -f "$t/out/p"
  done
fi

# With -x a directory is empty that is not at the source: what is in its place stays.
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
  printf '#!/bin/sh\nmount -t tmpfs none %s/s/e; echo x >%s/s/e/f; exec "$@"\n' "$t" "$t" >"$t/mounted"
  for x in -x ''; do
    what="a mount at the source $x"; fresh; more; mkdir "$t/d/s/e/in"
    status_of unshare -m sh "$t/mounted" "$ZSEND" -q -S "$t/ssh" -r $x --delete "$t/s" "host:$t/d" 2>"$t/send.err"; expect_status 0 "$what"
    [ ! -e "$t/d/s/old" ] && [ -e "$t/d/s/e/in" ] || [ -z "$x" ] || fail "$what: $(found "$t/d/s")"
  done
  [ ! -e "$t/d/s/e/in" ] || fail "$what"
fi

# Many: they are told meanwhile, and a connection that is lost then is made again.
what="a lost connection"; fresh; mkdir "$t/d/s/many"; (cd "$t/d/s/many" && seq -f 'a-name-of-some-length-%g' 30000 | xargs touch)
start_recv -q -r --delete --plain --no-auth "$t/d"; start_proxy "cut=400000,on=0,from=listener"
status_of timeout 60 "$ZSEND" -q -r --plain --no-auth --json="$t/send.json" "$t/s" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0 "$what"
wait_for "$recv"; expect_status 0 "$what"; same_names; kill "$proxy"
for side in send recv; do
  [ "$(field "$t/$side.json" reconnects)" = 1 ] || fail "$what: z$side counted $(field "$t/$side.json" reconnects)"
  expect_deleted "$t/$side.json" 30001; [ "$(grep '"event":"deleted"' "$t/$side.json" | sort -u | wc -l)" = 30001 ] || fail "$what: z$side"
done
what="a signal"; fresh; mkdir "$t/d/s/many"; (cd "$t/d/s/many" && seq 100000 | xargs touch); chmod 555 "$t/d/s/many"
start_recv -q -r --delete --plain --no-auth "$t/d"
"$ZSEND" -q -r --plain --no-auth "$t/s" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=($send)
until_true grep -q '"event":"deleted"' "$t/recv.json"; kill -INT "$recv"; wait_for "$recv"; expect_status 130 "$what"; wait_for "$send"
left=$(ls "$t/d/s/many" | wc -l); [ "$left" -gt 0 ] && [ "$left" -lt 100000 ] || fail "$what: $left are left"
[ "$(stat -c %a "$t/d/s/many")" = 555 ] || fail "$what: mode $(stat -c %a "$t/d/s/many")"

# Its directories are synced after the last name has gone.
if command -v strace >/dev/null; then
  traced() {
    rm -f "$t/recv.json" "$t/trace"
    strace -f -o "$t/trace" -e trace=unlinkat,fsync,syncfs "$ZRECV" --plain --no-auth --listen 127.0.0.1:0 --json="$t/recv.json" -q -r --delete "$@" "$t/d" 2>"$t/recv.err" &
    recv=$!; started+=($recv); until_true listening "$t/recv.json"; port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$t/recv.json" | head -1)
    status_of "$ZSEND" -q -r --plain --no-auth "$t/s" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 0 "$what"; wait_for "$recv"; expect_status 0 "$what"
    same_names; [ "$(grep -c unlinkat "$t/trace")" -ge 3 ] || fail "$what: $(cat "$t/trace")"
  }
  what="durable"; fresh; more; traced
  case $(sed -n '/unlinkat/h; /unlinkat/!H; ${x; p}' "$t/trace" | grep -oE 'fsync|syncfs' | tr '\n' ' ') in fsync*) ;; *) fail "$what: $(cat "$t/trace")" ;; esac
  what="durable, many"; fresh; for i in $(seq 12); do mkdir -p "$t/s/m/$i" "$t/d/s/m/$i"; touch "$t/d/s/m/$i/x"; done; traced
  case $(sed -n '/unlinkat/h; /unlinkat/!H; ${x; p}' "$t/trace" | grep -oE 'fsync|syncfs' | tr '\n' ' ') in "syncfs fsync ") ;; *) fail "$what: $(cat "$t/trace")" ;; esac
  what="not durable"; fresh; more; traced --durability=none; ! grep -qE 'fsync|syncfs' "$t/trace" || fail "$what"
fi

# Somebody else puts a link, or another directory, in the place of one that is cleared, in the moment it is opened.
if [ -z "${ZX_SANITIZE:-}" ]; then
  for name in swap_at_open odd_fs; do
    cc -shared -fPIC -O2 -o "$t/$name.so" "$ZX_SOURCE_DIR/tests/tools/$name.c" -ldl || fail "compile"
  done
  # He is within the program here, and Landlock would hold him: without it.
  export SWAP_NAME=deep
  for how in SWAP_LINK SWAP_DIR; do
    what="$how"; fresh; more; preload="python3 $ZX_SOURCE_DIR/tests/tools/forbid.py landlock -- env LD_PRELOAD=$t/swap_at_open.so $how=$t/out" wanted=23 ssh_push -r --delete "$t/s"
    [ -e "$t/d/s/old/swapped/er/f" ] || fail "$what: nothing was swapped: $(found "$t/d/s")"
    [ "$(cat "$t/out/secret" "$t/d/s/old/deep/secret" 2>/dev/null | sort -u)" = kept ] || fail "$what: what is not its own is deleted"
    [ ! -e "$t/d/s/a/gone" ] && [ -d "$t/d/s/old/" ] || fail "$what: $(found "$t/d/s")"
  done
  # Where upper and lower case are one name, what has come may be there under another.
  what="a file system that folds names"; fresh; mv "$t/s/2" "$t/s/Two"; mv "$t/d/s/2" "$t/d/s/two"; touch "$t/d/s/x" "$t/d/s/a/x"
  preload="LD_PRELOAD=$t/odd_fs.so ODD_FS=one-case" wanted=23 ssh_push -r --delete "$t/s"
  [ "$(cat "$t/d/s/two")" = 2 ] && [ -e "$t/d/s/x" ] && [ ! -e "$t/d/s/a/x" ] || fail "$what: $(found "$t/d/s")"
  expect_in "$t/send.err" "what was received is not all there under its name"
fi

for words in "--delete|goes only with -r or -a" "-r --max-delete 3|only with --delete" "-r --delete --max-delete x|not a number" "-r --delete --max-delete -1|"; do
  for p in "$ZSEND $t/s zs://127.0.0.1:1" "$ZRECV zs://127.0.0.1:1 $t/d"; do
    status_of $p ${words%|*} 2>"$t/send.err"; expect_status 2 "$words"; expect_in "$t/send.err" "${words#*|}"
  done
done
status_of "$ZSEND" -r --delete --files-from "$t/list" "$t/s" zs://127.0.0.1:1 2>"$t/send.err"; expect_status 2 "--files-from"
status_of "$ZRECV" -r --delete --listen 0 --exec cat 2>"$t/send.err"; expect_status 2 "--exec"
