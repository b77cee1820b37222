# Public bug reports about trees of other programs, T01 to T18, as cases: what happened there does not happen here. Those
# that another script has already: T02 "into itself" in tree.sh, T06 in many_in_one.sh, T08 and T11 also in
# follow_links.sh, T13 in archive.sh, T14 in tree.sh and archive.sh, T15 in files_from.sh.
. "$(dirname "$0")/lib.sh"
tree() { python3 "$ZX_SOURCE_DIR/tests/tools/tree.py" "$@"; }
same() { tree same "$@" >"$t/differences" || fail "$1 and $2 differ ($what): $(cat "$t/differences")"; }
fresh() { rm -rf "$t/s" "$t/d"; mkdir "$t/s" "$t/d"; unset ZXFER_KEY; }
# push STATUS OPTIONS-OF-BOTH OPERANDS-AND-OPTIONS-OF-ZSEND...: to $t/d; both ends say it.
push() {
  local wanted=$1 options=$2; shift 2
  start_listener recv "${receiver:-$ZRECV}" $options ${recv_options:-} "${root:-$t/d}"
  status_of timeout 100 "${sender:-$ZSEND}" --json="$t/send.json" $options "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status "$wanted" "zsend ($what)"; wait_for "$recv"; expect_status "$wanted" "zrecv ($what)"
}
# With nobody's rights, by programs that he can read, wherever they were built.
as_nobody=
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  as_nobody=1; chmod 755 "$t"; mkdir "$t/bin"; cp "$ZSEND" "$ZRECV" "$t/bin"
  for p in zsend zrecv; do
    printf '#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups %s/bin/%s "$@"\n' "$t" $p >"$t/bin/nobody-$p"
  done
  chmod 755 "$t/bin"/*
fi
nobody() { # ENDS: those of them that run as nobody, who owns source and destination
  chown -R 65534:65534 "$t/s" "$t/d"; rm -f "$t/send.json"; chmod 777 "$t"
  sender=$ZSEND receiver=$ZRECV
  case $1 in *zsend*) sender=$t/bin/nobody-zsend ;; esac
  case $1 in *zrecv*) receiver=$t/bin/nobody-zrecv ;; esac
}
myself() { sender=$ZSEND receiver=$ZRECV; }

T01() { # folders without write permission, by who is not root, and again over them
  [ -n "$as_nobody" ] || { echo "T01: not root, left out"; return 0; }
  for options in "-r -p" -r; do
    times=; [ "$options" = -r ] || times=--times
    fresh; mkdir -p "$t/s/src/a" "$t/s/src/b/c"; for f in a/f b/f b/c/f; do echo "$f" >"$t/s/src/$f"; done
    nobody "zsend zrecv"; find "$t/s/src" -type d -exec chmod 555 {} +
    what="T01 $options"; push 0 "$options" "$t/s/src"; same "$t/s/src" "$t/d/src" $times
    what="T01 $options again"; echo more >>"$t/s/src/b/c/f"; push 0 "$options" "$t/s/src"
    [ -z "$(find "$t/d/src" -type d ! -perm 555)" ] || fail "$what: $(find "$t/d/src" -type d -ls)"
    expect_same "$t/s/src/b/c/f" "$t/d/src/b/c/f"
    what="T01 $options, skipped"; push 0 "$options" --overwrite=skip "$t/s/src"
    [ -z "$(find "$t/d/src" -type d ! -perm 555)" ] || fail "$what: $(find "$t/d/src" -type d -ls)"
    # One that is ended in between leaves them as they were.
    what="T01 $options, interrupted"; random_file "$t/s/more" 30000000; mv "$t/s/more" "$t/s/src/b/c/"
    start_listener recv "$receiver" $options "$t/d"
    "$ZSEND" -q $options --bwlimit=5M "$t/s/src" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
    until_true eval 'ls -A "$t/d/src/b/c" | grep -q "^.zrecv-"'
    kill -INT "$send"; wait_for "$send"; wait_for "$recv"
    [ -z "$(find "$t/d/src" -type d ! -perm 555)" ] || fail "$what: $(find "$t/d/src" -type d -ls)"
    myself
  done
}

T02() { # the destination lies in the source: see tree.sh too
  what=T02; fresh; mkdir -p "$t/s/src/sub"; random_file "$t/s/src/f" 3000000
  start_recv "$t/s/src/sub"
  status_of timeout 60 "$ZSEND" -q -r --bwlimit=3M "$t/s/src" "zs://127.0.0.1:$port" 2>"$t/send.err"
  [ "$status" = 0 ] || expect_status 24 "$what"
  wait_for "$recv"; expect_same "$t/s/src/f" "$t/s/src/sub/src/f"
  [ "$(find "$t/s" -name f | wc -l)" -le 3 ] || fail "$what: it grows"
}

T03() { # names that are one where case does not matter
  what=T03
  cc -shared -fPIC -O2 -o "$t/odd_fs.so" "$ZX_SOURCE_DIR/tests/tools/odd_fs.c" -ldl || fail "compile"
  [ -z "${ZX_SANITIZE:-}" ] || return 0
  fresh; mkdir "$t/s/Doc" "$t/s/doc"; echo 1 >"$t/s/Doc/x"; echo 2 >"$t/s/doc/x"; echo 3 >"$t/s/R"; echo 4 >"$t/s/r"
  printf '#!/bin/sh\nODD_FS=one-case LD_PRELOAD=%s exec %s "$@"\n' "$t/odd_fs.so" "$ZRECV" >"$t/folds"; chmod +x "$t/folds"
  for order in "Doc doc R r" "doc Doc r R"; do
    rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY
    set -- $order
    receiver=$t/folds push 23 -r "$t/s/$1" "$t/s/$2" "$t/s/$3" "$t/s/$4"
    expect_only "$t/d" doc r; expect_same "$t/s/$1/x" "$t/d/doc/x"; expect_same "$t/s/$3" "$t/d/r"
    grep -q "$2': the same directory here as another entry of this run" "$t/recv.err" || fail "$what: $(cat "$t/recv.err")"
    grep -q "'$3' and '$4' are one file here\|$4': the same file here" "$t/recv.err" || fail "$what: $(cat "$t/recv.err")"
  done
}

T04() { # one odd name
  what=T04; fresh; mkdir "$t/s/src"
  for name in -rf ' ' a- $'new\nline' $'\u202e' $'\xff' .zrecv-x; do echo "$name" >"$t/s/src/$name"; done
  # By design one of ours is left out of a tree, is told, and is no failure; named as a source it is one.
  push 0 -r "$t/s/src"; expect_in "$t/send.err" ".zrecv-x': left out"
  rm "$t/s/src/.zrecv-x"; same "$t/s/src" "$t/d/src"
  echo x >"$t/s/.zrecv-x"; push 23 -r "$t/s/src" "$t/s/.zrecv-x"; [ ! -e "$t/d/.zrecv-x" ] || fail "$what: it came"
}

T05() { # names that are no UTF-8, and two ways to write one letter
  what=T05; fresh; mkdir "$t/s/src"
  python3 - "$t/s/src" <<'P'
import os, sys
at = os.fsencode(sys.argv[1])
for name in [bytes([b]) for b in range(0x80, 0x100)] + ["\u00e9".encode(), "e\u0301".encode()]:
    with open(os.path.join(at, name), "wb") as file: file.write(name)
P
  push 0 "-r -p" "$t/s/src"; same "$t/s/src" "$t/d/src"
  [ "$(grep -c '"name_b64"' "$t/send.json")" = 128 ] || fail "$what: not each has its bytes in JSON"
  push 0 "-r -p" --overwrite=differ "$t/s/src"
  [ "$(field "$t/send.json" files)$(field "$t/send.json" bytes)" = 00 ] || fail "$what: sent again"
  [ "$(field "$t/send.json" skipped)" = 130 ] || fail "$what: $(field "$t/send.json" skipped) skipped"
}

T07() { # what cannot be read, by who is not root
  [ -n "$as_nobody" ] || { echo "T07: not root, left out"; return 0; }
  what=T07; fresh; mkdir -p "$t/s/src/closed" "$t/s/src/listed" "$t/s/src/sub"
  for f in file closed/f listed/f sub/f; do echo "$f" >"$t/s/src/$f"; done
  nobody zsend; chmod 0 "$t/s/src/file" "$t/s/src/closed"; chmod 400 "$t/s/src/listed"
  push 23 -r "$t/s/src"
  for name in file closed listed/f; do expect_in "$t/send.err" "src/$name': "; done
  expect_same "$t/s/src/sub/f" "$t/d/src/sub/f"
  for name in file listed/f closed/f; do [ ! -e "$t/d/src/$name" ] || fail "$what: $name came"; done
  [ "$(field "$t/send.json" failed)" = 3 ] || fail "$what: $(field "$t/send.json" failed) failed"
  what="T07, nothing can be read"; chmod 0 "$t/s/src"
  rm -rf "$t/d"/*; start_recv --wait=1 "$t/d"
  status_of "$sender" -q -r "$t/s/src" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 6 "$what"
  wait_for "$recv"; [ "$status" != 0 ] || fail "$what: zrecv has 0"
  chmod -R u+rwx "$t/s"; myself
}

T08() { # a link to a folder stays one, in a list too
  what=T08; fresh; mkdir -p "$t/s/d1" "$t/s/d2"; echo x >"$t/s/d2/f"; ln -s ../d2 "$t/s/d1/l"
  push 0 -a "$t/s/."; [ "$(readlink "$t/d/d1/l")" = ../d2 ] || fail "$what"
  rm -rf "$t/d"/*; echo d1/l >"$t/list"; push 0 -a --files-from="$t/list" "$t/s"
  [ "$(readlink "$t/d/d1/l")" = ../d2 ] || fail "$what, in a list"
  [ ! -e "$t/d/d2" ] || fail "$what, in a list: followed"
}

T09() { # a link to a folder where the source has a folder
  what=T09; fresh; mkdir -p "$t/s/src/data" "$t/out"; echo new >"$t/s/src/data/f"; echo other >"$t/s/src/other"
  mkdir "$t/d/src"; ln -s "$t/out" "$t/d/src/data"; echo old >"$t/out/f"
  push 23 -a "$t/s/src"
  expect_in "$t/send.err" "is a symbolic link, which is not followed"
  [ "$(readlink "$t/d/src/data")" = "$t/out" ] || fail "$what: the link is gone"
  [ "$(cat "$t/out/f")" = old ] || fail "$what: written through"; expect_only "$t/out" f
  expect_same "$t/s/src/other" "$t/d/src/other"; rm -r "$t/out"
}

T10() { # one kind in the way of another: named, and what was there stays whole
  what=T10; fresh; mkdir "$t/s/src" "$t/d/src"
  for there in full empty file; do
    for comes in file folder link; do
      n=$there-$comes
      case $comes in file) echo new >"$t/s/src/$n" ;; folder) mkdir "$t/s/src/$n"; echo new >"$t/s/src/$n/in" ;; link) ln -s new "$t/s/src/$n" ;; esac
      case $there in full) mkdir "$t/d/src/$n"; echo old >"$t/d/src/$n/old" ;; empty) mkdir "$t/d/src/$n" ;; file) echo old >"$t/d/src/$n" ;; esac
    done
  done
  push 23 -a "$t/s/src"
  for n in full-file full-link empty-file empty-link file-folder; do
    expect_in "$t/send.err" "$n'"; expect_in "$t/recv.err" "$n'"
  done
  for n in full-file full-link; do [ "$(cat "$t/d/src/$n/old")" = old ] || fail "$what: $n"; done
  for n in empty-file empty-link; do [ -d "$t/d/src/$n" ] && expect_only "$t/d/src/$n" ""; done
  [ "$(cat "$t/d/src/file-folder")" = old ] || fail "$what: file-folder"
  # These are no obstacle: a name gets its new content, folders are merged.
  [ "$(cat "$t/d/src/file-file")" = new ] && [ "$(readlink "$t/d/src/file-link")" = new ] || fail "$what: not replaced"
  expect_only "$t/d/src/full-folder" in old; expect_only "$t/d/src/empty-folder" in
  [ "$(field "$t/send.json" failed)" = 6 ] || fail "$what: $(field "$t/send.json" failed) failed"  # with what is in the folder
}

T11() { # links in circles, and to everything
  what=T11; fresh; mkdir -p "$t/s/a/b"; ln -s . "$t/s/a/l"; ln -s .. "$t/s/a/m"; ln -s /proc/self/root "$t/s/a/root"
  for options in -r -a; do
    push 0 $options "$t/s/a"
    for l in l m root; do [ "$(readlink "$t/d/a/$l")" = "$(readlink "$t/s/a/$l")" ] || fail "$what: $l"; done
    rm -rf "$t/d"/*
  done
  rm "$t/s/a/root"; push 23 -r -L "$t/s/a"
  for l in l m/a; do expect_in "$t/send.err" "a/$l': a symbolic link to a directory that it is in"; done
  [ -d "$t/d/a/b" ] && [ -d "$t/d/a/m" ] && [ ! -e "$t/d/a/l" ] && [ ! -e "$t/d/a/m/a" ] || fail "$what: followed"
}

T12() { # files that say they are regular, and block
  what=T12; fresh; mkdir "$t/s/src"; mkfifo "$t/s/src/fifo"; echo x >"$t/s/src/f"
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$t/s/src/socket"
  push 23 -r "$t/s/src"; expect_same "$t/s/src/f" "$t/d/src/f"
  for name in fifo socket; do expect_in "$t/send.err" "$name': neither a file"; done
  touch "$t/s/src/kmsg" "$t/s/src/pipe"
  cat >"$t/mounted" <<S
#!/bin/sh
mount --bind /proc/kmsg $t/s/src/kmsg && mkdir -p $t/tracing && mount -t tracefs tracefs $t/tracing 2>/dev/null &&
  mount --bind $t/tracing/trace_pipe $t/s/src/pipe
exec $ZSEND "\$@"
S
  printf '#!/bin/sh\nexec unshare -m sh %s/mounted "$@"\n' "$t" >"$t/with"; chmod +x "$t/with"
  if [ "$(id -u)" = 0 ] && unshare -m mount --bind /proc/kmsg "$t/s/src/kmsg" 2>/dev/null; then
    rm -rf "$t/d"/*
    sender=$t/with push 23 -r "$t/s/src"; expect_same "$t/s/src/f" "$t/d/src/f"
    expect_in "$t/send.err" "kmsg': "
  fi
}

T13() { # see archive.sh: the old file of the destination has links elsewhere
  what=T13; fresh; mkdir "$t/d/s" "$t/d/snap"; echo old >"$t/d/s/a"; ln "$t/d/s/a" "$t/d/snap/a"; echo old >"$t/d/s/b"
  echo new >"$t/s/a"; ln "$t/s/a" "$t/s/b"; ln "$t/s/a" "$t/s/c"
  push 0 -a "$t/s"
  [ "$(cat "$t/d/snap/a")" = old ] || fail "$what: written through"
  [ "$t/d/s/a" -ef "$t/d/s/b" ] && [ "$t/d/s/a" -ef "$t/d/s/c" ] || fail "$what: not one file"
}

T14() { # times of folders
  what=T14; fresh; mkdir -p "$t/s/src/full/deep" "$t/s/src/empty"; echo x >"$t/s/src/full/deep/f"
  find "$t/s/src" -depth -exec touch -d '2011-11-11 11:11:11.123456789' {} +
  for run in 1 2; do
    push 0 -a "$t/s/src"
    [ -z "$(find "$t/d/src" ! -newermt '2011-11-11 11:11:11.123456788' -o -newermt '2011-11-11 11:11:11.123456789')" ] ||
      fail "$what, run $run: $(find "$t/d/src" -printf '%T+ %p\n')"
  done
}

T16() { # a source that is not there, and what is removed after it was listed
  what=T16; fresh; echo a >"$t/s/a"; echo b >"$t/s/b"
  push 23 -r "$t/s/a" "$t/s/missing" "$t/s/b"; expect_same "$t/s/a" "$t/d/a"; expect_same "$t/s/b" "$t/d/b"
  expect_in "$t/send.err" "missing"
  what="T16, vanished"; fresh; mkdir "$t/s/src"; for i in $(seq 20); do echo "$i" >"$t/s/src/$i"; done; mkdir "$t/s/src/dir"
  first=$(ls -U "$t/s/src" | grep -v dir | head -1); random_file "$t/s/src/$first" 40000000
  start_recv --plain --no-auth "$t/d"; start_proxy hold 5000000
  "$ZSEND" --plain --no-auth -r --json="$t/send.json" "$t/s/src" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
  stop_in_the_middle "$recv"
  for i in $(seq 20); do [ "$i" = "$first" ] || rm "$t/s/src/$i"; done; rmdir "$t/s/src/dir"
  kill -CONT "$recv"; wait_for "$send"; expect_status 24 "$what"; wait_for "$recv"; expect_status 24 "$what"
  expect_same "$t/s/src/$first" "$t/d/src/$first"
  [ "$(field "$t/send.json" vanished)" -ge 1 ] && [ "$(field "$t/send.json" failed)" = 0 ] || fail "$what: $(tail -1 "$t/send.json")"
}

T17() { # holes in a tree, to where there is little room
  what=T17; fresh; mkdir "$t/s/src"
  if ! { truncate -s 1T "$t/s/src/then data" && dd if=/dev/urandom of="$t/s/src/then data" bs=1M count=1 seek=1048576 status=none; } 2>/dev/null; then
    echo "T17: no such large files here, left out"; return 0
  fi
  random_file "$t/s/src/data then" 1000000; truncate -s 1T "$t/s/src/data then"; truncate -s 1T "$t/s/src/nothing"
  mkdir "$t/mnt"; root=$t/d
  if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=30M tmpfs "$t/mnt" 2>/dev/null; then root=$t/mnt; fi
  push 0 -r "$t/s/src"
  for name in "then data" "data then" nothing; do
    [ "$(stat -c %s "$root/src/$name")" = "$(stat -c %s "$t/s/src/$name")" ] || fail "$what: size of $name"
  done
  [ "$(du -sk "$root/src" | cut -f1)" -le 4000 ] || fail "$what: $(du -sk "$root/src")"
  cmp <(tail -c 1M "$t/s/src/then data") <(tail -c 1M "$root/src/then data") || fail "$what: content"
  cmp <(head -c 1M "$t/s/src/data then") <(head -c 1M "$root/src/data then") || fail "$what: content"
  umount "$t/mnt" 2>/dev/null || true; root=
}

T18() { # two sources give one path
  what=T18; fresh; mkdir -p "$t/s/x/d" "$t/s/y/d"; echo first >"$t/s/x/d/f"; echo second >"$t/s/y/d/f"; echo y >"$t/s/y/d/g"
  push 23 -r "$t/s/x/d" "$t/s/y/d"
  [ "$(cat "$t/d/d/f")" = first ] || fail "$what: $(cat "$t/d/d/f")"
  grep -q "a second entry of this name\|the same" "$t/recv.err" || fail "$what: not named"
}

for case in ${CASES:-T01 T02 T03 T04 T05 T07 T08 T09 T10 T11 T12 T13 T14 T16 T17 T18}; do
  myself; $case; echo "$case ok"
done
