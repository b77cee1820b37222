# --help and --version go to stdout with 0; every mistake on the command line is 2 on stderr.
. "$(dirname "$0")/lib.sh"
for p in "$ZSEND" "$ZRECV"; do
  "$p" --help >"$t/out" 2>"$t/e.err"; [ -s "$t/out" ] && [ ! -s "$t/e.err" ] || fail "--help"
  "$p" --version >"$t/out"
  grep -qE '^z(send|recv) [0-9]+\.[0-9]+' "$t/out" || fail "--version: $(cat "$t/out")"
  for line in 'OpenSSL 3' 'xxHash 0\.8' 'kernel TLS: \(yes\|no (.*)\)$'; do
    grep -q "^$line" "$t/out" || fail "--version without $line"
  done
  for group in Help Where Security Files Output ssh Tuning; do
    "$p" --help | grep -qx "$group:" || fail "no group $group in --help"
  done
  ! "$p" --help | grep -qx 'Options:' || fail "an option without a group in --help"
  for bad in "" "--nonsense" "-r a b" "-R x zs://h" "--resume x zs://h" "--streams 0 x zs://h" "--streams 17 x zs://h" "--streams 1K x zs://h" "--streams=many x zs://h" "--streams -1 x zs://h" "--ktls=warp x zs://h" "--tls-cert c x zs://h" \
    "--engine=warp x zs://h" "--exec true x zs://h" "--timeout 0 x zs://h" "--block-size 3 x zs://h" "-4 -6 x zs://h" \
    "--no-auth x zs://h" "--plain --no-auth x host:y" "-- x -host:path" "-- -host:path x" 'x ho$st:path' "host:x other:y ." "-P 22 x zs://h" "--remote x" "x ssh://-h/p" "x zs://h:99999" "x zs://h/../y" "--listen" "--listen x:y z"; do
    status_of "$p" $bad >"$t/out" 2>"$t/e.err" </dev/null
    expect_status 2 "$(basename "$p") $bad"
    [ ! -s "$t/out" ] && [ "$(wc -l <"$t/e.err")" = 1 ] || fail "not one line on stderr: $bad"
  done
done
# Numbers as people write them are understood (nobody is there: 5), and a refusal tells the right reason.
for good in "--bwlimit 1.5M" "--bwlimit 10MB/s" "--bwlimit 100KB" "--block-size 1.5M" "--timeout 5m" "--timeout 1.5h" "--wait 0s"; do
  status_of "$ZRECV" --plain --no-auth $good zs://127.0.0.1:1 "$t" 2>"$t/e.err"; expect_status 5 "$good"
done
reason() { status_of "$ZRECV" --plain --no-auth $1 zs://127.0.0.1:1 "$t" 2>"$t/e.err"; expect_status 2 "$1"; expect_in "$t/e.err" "$2"; }
reason "--bwlimit 10X" "not a size"
reason "--bwlimit 10" "at least 1K"
reason "--block-size 5M/s" "not a size"
reason "--timeout 5w" "not a time"; reason "--timeout 0" "from 1 s"
status_of "$ZSEND" --plain --no-auth --size 1.5G - zs://127.0.0.1:1 2>"$t/e.err" <<<x; expect_status 5 "--size 1.5G"
# What may have been meant by an option that there is none of; --help shows how it is done, and where there is more.
meant() { status_of "$ZSEND" $1 x zs://127.0.0.1:1 2>"$t/e.err"; expect_status 2 "$1"; expect_in "$t/e.err" "$1: no such option$2 (see"; }
meant --durabilty=none " (did you mean --durability?)"; meant --timout " (did you mean --timeout?)"
meant --limit-rate " (did you mean --bwlimit?)"; meant --ignore-existing " (did you mean --overwrite=skip?)"
meant --inplace " (did you mean zrecv --inplace?)"
meant --verify-first " (did you mean zrecv --verify-first?)"
meant --nonsense ""; meant --tls-ciphre ""  # not one that is only for tests
for p in zsend zrecv; do
  program=$ZSEND; [ $p = zsend ] || program=$ZRECV
  "$program" --help >"$t/out"
  expect_in "$t/out" "Examples:"
  [ "$(tail -1 "$t/out")" = "More: man $p, man zsend-transfer" ] ||
    fail "--help of $p ends with $(tail -1 "$t/out")"
done
# Options that are always wanted. What must be said each time is refused there, and nothing of it reaches who ssh starts.
export ZSEND_OPTIONS
always() { # OPTIONS ARGUMENTS STATUS WORDS
  ZSEND_OPTIONS=$1
  status_of "$ZSEND" $2 "$t/out" zs://127.0.0.1:1 >/dev/null 2>"$t/e.err"
  expect_status "$3" "$1 $2"
  expect_in "$t/e.err" "$4"
}
always "--bwlimit=10X" "--plain --no-auth" 2 "--bwlimit 10X: not a size"
always "--bwlimit=10X" "--bwlimit=1M --plain --no-auth" 5 "127.0.0.1:1: connect"
always " --timeout=3  --json=- -q" "--plain --no-auth" 5 "127.0.0.1:1: connect"
grep -q '"event":"error"' < <("$ZSEND" --plain --no-auth "$t/out" zs://127.0.0.1:1 2>/dev/null) || fail "no JSON by \$ZSEND_OPTIONS"
for bad in --plain --no-auth --listen=1 --exec=true --new-key=x --inplace; do
  always "$bad" "" 2 "\$ZSEND_OPTIONS: $bad: only on the command line"
done
for bad in "--timeout 5" x -- --json --timeout=; do
  always "$bad" "" 2 "not an option with its value in one word"
done
ZSEND_OPTIONS=--bwlimit=10X
status_of "$ZSEND" --remote </dev/null >"$t/out" 2>"$t/e.err"
! grep -q bwlimit "$t/out" "$t/e.err" || fail "--remote looks at \$ZSEND_OPTIONS"
unset ZSEND_OPTIONS
# Nobody is asked for the key of a host that is not there.
status_of setsid -w "$ZSEND" "$t/out" zs://no.such.host.invalid 2>"$t/e.err" </dev/null
expect_status 5 "a host that is not there"
expect_in "$t/e.err" "look up"
