# Somebody with the receiver's own rights flips directories of the destination and symbolic links that lead out of it, as
# fast as he can, while trees are received there again and again, for three seconds by the clock (and longer only until
# some runs have met him). Nothing is written, made, removed or changed outside: with Landlock, and without its help.
. "$(dirname "$0")/lib.sh"
mkdir -p "$t/s/src/flip/deep" "$t/s/src/stay" "$t/out/deep" "$t/d/src"
for i in $(seq 60); do echo "new $i" >"$t/s/src/flip/$i"; echo "new $i" >"$t/s/src/flip/deep/$i"; echo "new $i" >"$t/s/src/stay/$i"; done
ln "$t/s/src/stay/1" "$t/s/src/flip/linked"; ln -s 1 "$t/s/src/flip/soft"; random_file "$t/s/src/flip/large" 3000000
# Outside there is the same, so that each name of it could be replaced, and what is none of it.
for i in $(seq 60); do echo secret >"$t/out/$i"; echo secret >"$t/out/deep/$i"; done; echo secret >"$t/out/other"
chmod 711 "$t/out" "$t/out/deep"
outside() { find "$t/out" -printf '%p %y %m %U %G %s %n %T@ %C@ %l\n' | sort; find "$t/out" -type f -exec md5sum {} + | sort; }
outside >"$t/before"

attack() { # WHAT PROGRAM: as the receiver
  what=$1
  rm -rf "$t/d/src"; mkdir -p "$t/d/src/flip/deep"; ln -s "$t/out" "$t/d/src/link"; ln -s ../../../out/deep "$t/d/src/flip/link"
  python3 "$ZX_SOURCE_DIR/tests/tools/flip.py" "$t/d/src/flip" "$t/d/src/link" "$t/d/src/flip/deep" "$t/d/src/flip/link" >"$t/flips" & flip=$!
  started+=("$flip"); until_true grep -qs begun "$t/flips"
  local runs=0 met=0 whole=0 options end=$(($(date +%s%N) + 3000000000))
  while [ "$(date +%s%N)" -lt "$end" ] || { [ "$(date +%s%N)" -lt $((end + 30000000000)) ] && [ $((runs < 3 || met < 1)) = 1 ]; }; do
    [ $((runs % 2)) = 0 ] && options="-r --durability=none" || options="-a"
    runs=$((runs + 1))
    start_listener recv "$2" --plain --no-auth $options "$t/d"
    status_of timeout 30 "$ZSEND" -q --plain --no-auth $options "$t/s/src" "zs://127.0.0.1:$port" 2>"$t/send.err"
    case $status in 0) whole=$((whole + 1)) ;; 23 | 6) ;; *) fail "zsend ended with $status ($what)" ;; esac
    local sent=$status; wait_for "$recv"; [ "$status" = "$sent" ] || fail "zrecv ended with $status, zsend with $sent ($what)"
    ! grep -q "is a symbolic link, which is not followed\|replaced by somebody meanwhile" "$t/recv.err" || met=$((met + 1))
    outside | diff "$t/before" - >"$t/diff.err" || fail "written outside ($what, run $runs)"
  done
  kill "$flip"; wait "$flip" || fail "the attacker has failed"
  echo "$what: $(tail -1 "$t/flips") flips, $runs runs, of which $met met a link and $whole nothing"
  # It was a test: the names were flipped many times within each run, and runs have met a link.
  [ "$(tail -1 "$t/flips")" -gt $((runs * 10)) ] && [ "$runs" -ge 3 ] && [ "$met" -ge 1 ] || fail "no attack ($what)"
  [ -z "$(find "$t/d" "$t/out" -name '.zrecv-*')" ] || fail "a temporary file stayed ($what)"
}
attack "with all that the kernel has" "$ZRECV"
status_of python3 "$ZX_SOURCE_DIR/tests/tools/forbid.py" landlock -- true
[ "$status" = 0 ] || { echo "no seccomp here: only so far"; exit 0; }
printf '#!/bin/sh\nexec python3 %s landlock -- %s "$@"\n' "$ZX_SOURCE_DIR/tests/tools/forbid.py" "$ZRECV" >"$t/without"
chmod +x "$t/without"
attack "without Landlock" "$t/without"
