# --files-from: only what a list names comes, to where it is below the source.
. "$(dirname "$0")/lib.sh"
fresh() { rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; }
found() { (cd "$t/d" && find . -mindepth 1 | LC_ALL=C sort | sed 's|^\./||' | tr '\n' ' '); }
expect_found() { [ "$(found)" = "$*${*:+ }" ] || fail "$what: there is $(found)"; }
# push OPTIONS...: of $t/s to a listener, what standard input names.
push() {
  fresh; start_recv ${recv_options:-} "$t/d" </dev/null
  status_of "$ZSEND" --json="$t/send.json" "$@" "$t/s" "zs://127.0.0.1:$port" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"
  [ "$sent" = "$status" ] || fail "zsend ended with $sent, zrecv with $status ($what)"
  expect_status "${wanted:-0}" "$what"
}
mkdir -p -m 751 "$t/s/a/b" "$t/s/e" "$t/s/x y"
for f in a/b/f a/g h e/i 'x y/j'; do echo "$f" >"$t/s/$f"; done
ln -s e "$t/s/l"; echo nl >"$t/s/new
line"

what="names in any order"; printf 'h\na/b/f\nx y/j\na/g\n' | push -p --files-from -
expect_found a a/b a/b/f a/g h 'x y' 'x y/j'; expect_same "$t/s/a/b/f" "$t/d/a/b/f"
[ "$(stat -c %a "$t/d/a/b")" = 751 ] || fail "a directory on the way: $(stat -c %a "$t/d/a/b")"
what="a file of them, without a last newline, odd, and twice"; printf './a//b/f\n\nh\n/h\nh' >"$t/list"
push --files-from "$t/list"; expect_found a a/b a/b/f h
what="nothing"
push --files-from /dev/null
expect_found
[ "$(field "$t/send.json" files)" = 0 ] || fail "$what"
what="NULs"; printf 'new\nline\0e/i' | push --files-from=- --from0; ls "$t/d" >"$t/there"
[ "$(cat "$t/there")" = "e
new
line" ] || fail "$what: $(cat "$t/there")"
what="a directory, itself"
printf 'e\nl\n' | push --files-from=-
expect_found e l
[ "$(readlink "$t/d/l")" = e ] || fail "$what"
what="a directory, with all below"
printf 'a\nl\na/g\n' | push -r --files-from=-
expect_found a a/b a/b/f a/g l
what="links that are followed"; printf 'l/i\n' | push -L --files-from=-; expect_found l l/i
[ ! -L "$t/d/l" ] || fail "$what"
what="all"; echo . | push -r --files-from=-; diff -r --no-dereference "$t/s" "$t/d" || fail "$what"
what="with patterns"; printf 'a/b/f\na/g\nh\n' | push --exclude b --files-from=-; expect_found a a/g h

what="what is not there fails alone"; printf 'no\nh\nh/x\nno/way\nl/i\n' | wanted=23 push --files-from=-
# 'h' is a file, and names below it are on the list: one name cannot be both.
expect_found; expect_in "$t/send.err" "no': is not there"; expect_in "$t/send.err" "l': not a directory"
what="none is there"; printf 'no\nh\n' | wanted=23 push --files-from=-; expect_found h
for bad in '../x' 'a/../../x' "$(printf %0300d 1)"; do
  status_of "$ZSEND" --files-from - "$t/s" zs://127.0.0.1:1 2>"$t/send.err" < <(printf 'h\n%s\n' "$bad")
  expect_status 2 "$bad"; expect_in "$t/send.err" "standard input: name 2, "
done
status_of "$ZSEND" --files-from "$t/none" "$t/s" zs://127.0.0.1:1 2>"$t/send.err"; expect_status 6 "no list"
status_of "$ZSEND" --files-from "$t/list" "$t/s/h" zs://127.0.0.1:1 2>"$t/send.err"
expect_status 6 "a source that is no directory"
for bad in "$t/s $t/s" "-"; do
  status_of "$ZSEND" --files-from "$t/list" $bad zs://127.0.0.1:1 2>"$t/send.err"
  expect_status 2 "sources $bad"
done
status_of "$ZSEND" --from0 "$t/s/h" zs://127.0.0.1:1 2>"$t/send.err"; expect_status 2 "--from0 alone"
status_of "$ZSEND" --json="$t/list" --files-from "$t/list" "$t/s" zs://127.0.0.1:1 2>"$t/send.err"
expect_status 2 "overwritten"
[ -s "$t/list" ] || fail "the list was overwritten"

what="a pull of it"; fresh; start_send --files-from "$t/list" "$t/s"
status_of "$ZRECV" -r "zs://127.0.0.1:$port" "$t/d" 2>"$t/recv.err"
expect_status 0 "$what"
wait_for "$send"
expect_found a a/b a/b/f h

what="by ssh, with a stand-in for it"; fresh
printf '#!/bin/sh\ncase " $* " in *" -G "*) echo hostname 127.0.0.1; exit ;; esac\nexec %s --remote\n' "$ZRECV" >"$t/ssh"
chmod +x "$t/ssh"
status_of "$ZSEND" -q -S "$t/ssh" --files-from "$t/list" "$t/s" "host:$t/d" 2>"$t/send.err"
expect_status 0 "$what"
expect_found a a/b a/b/f h

what="a long list"; mkdir "$t/s/many"; (cd "$t/s/many" && seq 3000 | xargs touch)
seq 3000 | sort -R | sed 's|^|many/|' | push --durability=none --files-from=-
[ "$(ls "$t/d/many" | wc -l)" = 3000 ] || fail "$what"
