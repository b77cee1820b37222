# --exclude, --include and --exclude-from: what is left out of a push, and of a pull, whose patterns are kept to by the
# sender; in all ways to meet. The patterns themselves are in tests/unit/filter_test.cc.
. "$(dirname "$0")/lib.sh"
fresh() { rm -rf "$t/d"; mkdir "$t/d"; unset ZXFER_KEY; }
found() { (cd "$t/d" && find . -mindepth 1 | LC_ALL=C sort | sed 's|^\./||' | tr '\n' ' '); }
expect_found() { [ "$(found)" = "$*${*:+ }" ] || fail "$what: there is $(found)"; }
# push OPTIONS -- SOURCES: to a listener; both programs' statuses are alike.
push() {
  local options=(); while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  fresh; start_recv ${recv_options:-} "$t/d"
  status_of "$ZSEND" -q "${options[@]}" "$@" "zs://127.0.0.1:$port" 2>"$t/send.err"
  local sent=$status; wait_for "$recv"
  [ "$sent" = "$status" ] || fail "zsend ended with $sent, zrecv with $status ($what)"
  expect_status "${wanted:-0}" "$what"
}
mkdir -p "$t/p/raw/2024" "$t/p/cache" "$t/p/[x]"
for f in a.jpg b.txt raw/a.jpg raw/2024/c.jpg raw/2024/c.txt cache/d '[x]/e'; do echo "$f" >"$t/p/$f"; done
chmod 0 "$t/p/cache/d"  # nobody looks at what is excluded

what="a name at any level"; push -r --exclude '*.txt' --exclude cache/ -- "$t/p"
expect_found p p/[x] p/[x]/e p/a.jpg p/raw p/raw/2024 p/raw/2024/c.jpg p/raw/a.jpg
what="from the top"
push -r --exclude=/raw --exclude cache -- "$t/p"
expect_found p p/[x] p/[x]/e p/a.jpg p/b.txt
what="the top of DIR/. is the same"
push -r --exclude=/raw --exclude=cache -- "$t/p/."
expect_found [x] [x]/e a.jpg b.txt
what="only these"; push -r --include '*/' --include '*.jpg' --exclude '*' -- "$t/p"
expect_found p p/[x] p/a.jpg p/cache p/raw p/raw/2024 p/raw/2024/c.jpg p/raw/a.jpg
what="the order counts, and what is in an excluded one is lost"
push -r --exclude raw --include '*.jpg' --exclude 'b.*' --exclude '**/d' -- "$t/p"
expect_found p p/[x] p/[x]/e p/a.jpg p/cache
what="a pattern in brackets"; push -r --exclude '[a,b,c,r]*' -- "$t/p/."; expect_found [x] [x]/e

printf '# not these\n\n/raw\n*.txt \n' >"$t/patterns"
what="a file of patterns"; push -r --include b.txt --exclude-from "$t/patterns" --exclude=cache -- "$t/p/."
expect_found [x] [x]/e a.jpg b.txt
what="the sources of a wildcard"; (cd "$t/p" && push --exclude '*.txt' -- *.jpg *.txt); expect_found a.jpg
what="all of DIR/."; push -r --exclude '*' -- "$t/p/."; expect_found
what="a directory that is a source"; push -r --exclude raw/ -- "$t/p/raw" "$t/p/a.jpg"; expect_found a.jpg

what="nothing is left"
status_of "$ZSEND" --exclude '*.jpg' "$t/p/a.jpg" zs://127.0.0.1:1 2>"$t/send.err"; expect_status 2 "$what"
expect_in "$t/send.err" "--exclude leaves nothing to send"
for bad in '!x' '[x' 'a//b' '../x' 'x\'; do
  for p in "$ZSEND $t/p/a.jpg zs://127.0.0.1:1" "$ZRECV zs://127.0.0.1:1 $t/d"; do
    status_of $p --exclude "$bad" 2>"$t/send.err"
    expect_status 2 "pattern $bad"
    expect_in "$t/send.err" pattern
  done
done
echo '!x' >"$t/bad"
status_of "$ZSEND" --exclude-from "$t/bad" "$t/p/a.jpg" zs://127.0.0.1:1 2>"$t/send.err"
expect_status 2
expect_in "$t/send.err" "bad':1: "
status_of "$ZSEND" --exclude-from "$t/none" "$t/p/a.jpg" zs://127.0.0.1:1 2>"$t/send.err"; expect_status 6

# What a receiver does not want.
pull() { # SENDER-OPTIONS -- RECEIVER-OPTIONS
  local options=(); while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  fresh; start_send -q "${options[@]}"
  status_of "$ZRECV" -q "$@" 2>"$t/recv.err" "zs://127.0.0.1:$port${name:-}" "$t/d"
  local got=$status
  wait_for "$send"
  [ "$got" = "$status" ] || fail "zrecv ended with $got, zsend with $status ($what)"
  expect_status "${wanted:-0}" "$what"
}
chmod 644 "$t/p/cache/d"
what="a pull"; pull -r "$t/p/." -- -r --exclude='*.txt' --include '/raw/a*' --exclude '/raw/*'
expect_found [x] [x]/e a.jpg cache cache/d raw raw/a.jpg
what="both have some, and none brings back what the other excludes"
pull -r --exclude cache --include '*.txt' "$t/p" -- -r --include cache --exclude '*.txt' --exclude raw
expect_found p p/[x] p/[x]/e p/a.jpg
what="what is offered"; pull "$t/p/a.jpg" "$t/p/b.txt" -- --exclude '*.txt'; expect_found a.jpg
what="what is asked for by name comes"; name=/b.txt pull "$t/p/a.jpg" "$t/p/b.txt" -- --exclude '*.txt'
expect_found b.txt
what="nothing that is wanted is offered"; wanted=9 pull "$t/p/b.txt" -- --exclude '*.txt'
expect_in "$t/recv.err" "the receiver's --exclude leaves nothing to send"
what="a receiver that listens"; recv_options='--exclude raw --exclude=*.txt' push -r --exclude cache -- "$t/p"
expect_found p p/[x] p/[x]/e p/a.jpg

# By ssh, with a stand-in for it.
printf '#!/bin/sh\ncase " $* " in *" -G "*) echo hostname 127.0.0.1; exit ;; *zrecv*) p=%s ;; *) p=%s ;; esac\ncd %s; exec $p --remote\n' \
  "$ZRECV" "$ZSEND" "$t" >"$t/ssh"; chmod +x "$t/ssh"
what="a pull by ssh"; fresh
status_of "$ZRECV" -q -S "$t/ssh" -r --exclude raw --exclude '*.txt' host:p host:p/b.txt "$t/d" 2>"$t/recv.err"
expect_status 0 "$what"; expect_found b.txt p p/[x] p/[x]/e p/a.jpg p/cache p/cache/d
what="a push by ssh"; fresh
status_of "$ZSEND" -q -S "$t/ssh" -r --plain --exclude raw --exclude '*.txt' "$t/p/cache" "$t/p/b.txt" "host:$t/d" 2>"$t/send.err"
expect_status 0 "$what"; expect_found cache cache/d
what="too many for the other end"; seq 3000 >"$t/many"
status_of "$ZRECV" --exclude-from "$t/many" zs://127.0.0.1:1 "$t/d" 2>"$t/recv.err"; expect_status 2 "$what"
fresh; seq 2048 | sed 's/$/xxxxxxxxxxxxxxxxxxx/' >"$t/many"; what="as many as can be"
pull -r "$t/p" -- -r --exclude-from "$t/many" --streams=1; [ -e "$t/d/p/a.jpg" ] || fail "$what"
