# zrecv --no-links: symbolic links are refused by name, whatever else is asked for, and the others come.
. "$(dirname "$0")/lib.sh"
mkdir -p "$t/s/sub"; echo f >"$t/s/f"; ln "$t/s/f" "$t/s/sub/hard"; ln -s f "$t/s/first"; ln -s /etc "$t/s/sub/second"
push() { # STATUS SENDER'S-OPTIONS SOURCE RECEIVER'S-OPTIONS...
  local wanted=$1 options=$2 source=$3; shift 3
  rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY
  start_recv "$@" "$t/d"
  status_of "$ZSEND" --json="$t/send.json" $options "$source" "zs://127.0.0.1:$port" 2>"$t/send.err"
  expect_status "$wanted" zsend; wait_for "$recv"; expect_status "$wanted" zrecv
}
for options in -r -a; do
  push 23 $options "$t/s" --no-links $options
  for side in send recv; do
    for name in first sub/second; do
      grep -q "$name': a symbolic link (--no-links)" "$t/$side.err" || fail "$side does not name $name: $(cat "$t/$side.err")"
    done
    [ "$(grep -c '"status":"refused","kind":"symlink"' "$t/$side.json")" = 2 ] || fail "$side: not two that are refused"
  done
  [ -z "$(find "$t/d" -type l)" ] || fail "a link came"
  expect_same "$t/s/f" "$t/d/s/f"; expect_same "$t/s/f" "$t/d/s/sub/hard"
done
[ "$t/d/s/f" -ef "$t/d/s/sub/hard" ] || fail "hard links are none"
push 0 -r "$t/s"
[ -L "$t/d/s/first" ] || fail "links without it"
# A link in the place of its content is none; one by itself is all there is.
push 0 "-r -L --exclude second" "$t/s" --no-links
[ -f "$t/d/s/first" ] && [ ! -L "$t/d/s/first" ] || fail "-L"
mkdir "$t/only"; ln -s x "$t/only/l"
push 23 -r "$t/only/." --no-links  # the directory is committed
expect_only "$t/d"

what="a pull"; rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; start_send -r "$t/s"
status_of "$ZRECV" -r --no-links "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"
expect_status 23 "$what"; wait_for "$send"; expect_status 23 "$what"
expect_in "$t/recv.err" "first': a symbolic link (--no-links)"
[ -z "$(find "$t/d" -type l)" ] || fail "$what: a link came"

# In a forced command, where who calls has no word in it.
printf '#!/bin/sh\ncase " $* " in *" -G "*) echo hostname 127.0.0.1; exit ;; esac\nexec %s --remote --below %s --no-links\n' \
  "$ZRECV" "$t/d" >"$t/ssh"; chmod +x "$t/ssh"
what="below a directory"; rm -rf "$t/d"; mkdir "$t/d"
status_of "$ZSEND" -q -S "$t/ssh" -r "$t/s" host: 2>"$t/send.err"
expect_status 23 "$what"
expect_in "$t/send.err" "first': a symbolic link (--no-links)"; [ -z "$(find "$t/d" -type l)" ] || fail "$what: a link came"
for bad in "- --no-links" "--no-links --exec true" "--inplace --no-links $t/s/f"; do
  status_of "$ZRECV" --listen 0 $bad 2>"$t/e.err"; expect_status 2 "$bad"
done
status_of "$ZSEND" --no-links "$t/s/f" zs://127.0.0.1:1 2>"$t/e.err"; expect_status 2 "zsend --no-links"
