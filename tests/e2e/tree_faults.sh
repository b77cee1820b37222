# What happens to a tree while it is sent, or received: its parts are replaced by others, its root goes elsewhere, the disk
# fails below one file. Whoever is at it gets nothing that he was not meant to get, and the others come.
. "$(dirname "$0")/lib.sh"
fresh() { rm -rf "$t/s" "$t/d" "$t/out" "$t/moved"; mkdir -p "$t/s/src" "$t/d" "$t/out"; unset ZXFER_KEY; }
# held COMMAND...: sends $t/s/src, and runs the command in the middle of that; $sent is zsend's status, $status zrecv's.
held() {
  start_recv --plain --no-auth -r "$t/d"; start_proxy hold 5000000
  "$ZSEND" --plain --no-auth -r --json="$t/send.json" "$t/s/src" "zs://127.0.0.1:$port" 2>"$t/send.err" & send=$!; started+=("$send")
  stop_in_the_middle "$recv"
  "$@"
  kill -CONT "$recv"; wait_for "$send"; sent=$status; wait_for "$recv"
}
# Twenty files, and the first that is read is so large that the others are still to come.
twenty() {
  for i in $(seq 20); do echo "$i" >"$t/s/src/$i"; done
  first=$(ls -U "$t/s/src" | head -1); random_file "$t/s/src/$first" 40000000
}

what="files that became links and FIFOs after they were listed"; fresh; twenty; echo secret >"$t/out/secret"; chmod 600 "$t/out/secret"
swap() {
  for i in $(seq 20); do
    [ "$i" != "$first" ] || continue
    rm "$t/s/src/$i"
    if [ $((i % 2)) = 0 ]; then ln -s "$t/out/secret" "$t/s/src/$i"; else mkfifo "$t/s/src/$i"; fi
  done
}
held swap
[ "$sent" = 23 ] || [ "$sent" = 24 ] || fail "$what: zsend ended with $sent"; expect_status "$sent" "$what"
expect_same "$t/s/src/$first" "$t/d/src/$first"
! grep -rqs secret "$t/d" --include='[0-9]*' -D skip --exclude="$first" || fail "$what: what a link leads to was sent"
[ -z "$(find "$t/d/src" -type f ! -name "$first")" ] || fail "$what: $(find "$t/d/src" -type f)"

what="the destination is moved, and a link is in its place"; fresh; twenty
elsewhere() { mv "$t/d" "$t/moved"; ln -s "$t/out" "$t/d"; }
held elsewhere
expect_status 0 "$what"; expect_only "$t/out" ""
diff -r "$t/s/src" "$t/moved/src" || fail "$what: not where it was"
rm "$t/d"

private() {
  [ "$(stat -c %a "$t/d/src")$(stat -c %a "$t/d/src/in")" = 700700 ] || fail "$what: directories are $(stat -c %a "$t/d/src" "$t/d/src/in")"
  [ "$(find "$t/d/src/in" -name '.zrecv-*' -printf %m)" = 600 ] || fail "$what: the file is $(find "$t/d/src/in" -printf '%m %p')"
}
for mask in 022:644 077:600; do
  what="what is not committed is the owner's alone"; fresh
  mkdir -m 777 "$t/s/src/in"; random_file "$t/s/src/in/f" 40000000; chmod 666 "$t/s/src/in/f"
  (umask ${mask%:*}; held private; expect_status 0 "$what") || exit 1
  [ "$(stat -c %a "$t/d/src/in/f")" = "${mask#*:}" ] || fail "$what: 0666 less ${mask%:*} is $(stat -c %a "$t/d/src/in/f")"
done

what="FIFOs, sockets, devices, links to devices"; fresh; echo x >"$t/s/src/f"; mkfifo "$t/s/src/fifo"; ln -s /dev/zero "$t/s/src/zero"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$t/s/src/socket"
start_recv -r "$t/d"
status_of timeout 30 "$ZSEND" -r -L "$t/s/src" "zs://127.0.0.1:$port" 2>"$t/send.err"; expect_status 23 "$what"
wait_for "$recv"; expect_status 23 "$what"; expect_same "$t/s/src/f" "$t/d/src/f"
for name in fifo zero socket; do expect_in "$t/send.err" "$name': neither a file"; [ ! -e "$t/d/src/$name" ] || fail "$what: $name"; done

if command -v strace >/dev/null; then
  what="the disk fails below one file"; fresh; echo x >"$t/s/src/a"; random_file "$t/s/src/f" 30000000; echo x >"$t/s/src/z"
  start_recv -r "$t/d"
  status_of strace -f -qq -o "$t/trace" -P "$t/s/src/f" -e trace=pread64 -e inject=pread64:error=EIO:when=3 \
    "$ZSEND" -r --engine=readwrite "$t/s/src" "zs://127.0.0.1:$port" 2>"$t/send.err"
  grep -q INJECTED "$t/trace" || fail "the fault did not fire"
  expect_status 23 "$what"; wait_for "$recv"; expect_status 23 "$what"
  expect_only "$t/d/src" a z; expect_in "$t/send.err" "Input/output error"; expect_in "$t/recv.err" "Input/output error"
fi

# A user who may write to the source flips a directory and a link to what he may not read, for three seconds by the clock.
what="directories of the source are flipped"; fresh; mkdir -p "$t/s/src/flip/deep"
for i in $(seq 60); do
  echo public >"$t/s/src/flip/$i"; echo public >"$t/s/src/flip/deep/$i"
  echo secret >"$t/out/$i"
done
cp -r "$t/out" "$t/out-deep"; mv "$t/out-deep" "$t/out/deep"; chmod -R go= "$t/out"
ln -s "$t/out" "$t/s/src/link"; ln -s "$t/out/deep" "$t/s/src/flip/link"
python3 "$ZX_SOURCE_DIR/tests/tools/flip.py" "$t/s/src/flip" "$t/s/src/link" "$t/s/src/flip/deep" "$t/s/src/flip/link" >"$t/flips" & flip=$!
started+=("$flip"); until_true grep -qs begun "$t/flips"
runs=0 links=0 end=$(($(date +%s%N) + 3000000000))
while [ "$(date +%s%N)" -lt "$end" ] || { [ "$(date +%s%N)" -lt $((end + 30000000000)) ] && [ $((runs < 3 || links < 1)) = 1 ]; }; do
  runs=$((runs + 1)); rm -rf "$t/d"; mkdir "$t/d"
  start_recv --plain --no-auth -r --durability=none "$t/d"
  status_of timeout 30 "$ZSEND" -q --plain --no-auth -r "$t/s/src" "zs://127.0.0.1:$port" 2>"$t/send.err"
  case $status in 0 | 23 | 24) ;; *) fail "zsend ended with $status ($what)" ;; esac
  sent=$status; wait_for "$recv"; expect_status "$sent" "$what"
  [ "$sent" = 0 ] || links=$((links + 1))
  ! grep -rqs secret "$t/d" || fail "the secret was sent ($what, run $runs)"
done
kill "$flip"; wait "$flip" || fail "the attacker has failed"
echo "$what: $(tail -1 "$t/flips") flips, $runs runs, $links of them noticed"
[ "$(tail -1 "$t/flips")" -gt $((runs * 10)) ] && [ "$links" -ge 1 ] || fail "no attack ($what)"
