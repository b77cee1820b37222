# Completions for bash, zsh and fish offer every option of --help and the words it takes; behind host: bash asks
# over ssh for paths, quoted, and starts nothing for a host that is none. zsh and fish where they are installed.
. "$(dirname "$0")/lib.sh"
dir=$ZX_SOURCE_DIR/common/completions
mkdir "$t/bin" "$t/here"; ln -s "$ZSEND" "$ZRECV" "$t/bin/"; export PATH=$t/bin:$PATH
bash -n "$dir/zsend.bash" || fail "bash does not read it"
# Taken from --help in another way than there: every word of a line of an option that begins with a minus sign.
options() { "$1" --help | sed -n 's/^  \(-[^ ]*\).*/\1/p' | tr , '\n' | sort; }
# same WANTED FOUND NAME
same() { diff "$1" "$2" >"$t/diff" || fail "$3: $(cat "$t/diff")"; }

# offered LINE: what bash offers at its end, one a line.
offered() {
  bash -c '. "$1"; shopt -s extglob
    _known_hosts_real() { COMPREPLY=(); local h; for h in box: boat: other:; do [[ $h != "${!#}"* ]] || COMPREPLY+=("$h"); done; }
    COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$'"' \\t\\n\"'\\''><=;|&(:'"'
    # As readline splits: at blanks that are not quoted, and ":" and "=" are words of their own.
    COMP_WORDS=(); while IFS= read -r w; do COMP_WORDS+=("$w"); done < <(printf %s "$2" | grep -oE "([^ :=\\]|\\\\.)+|[:=]")
    case $2 in *[\ :=]) case $2 in *\\\ ) ;; *) COMP_WORDS+=("") ;; esac ;; esac
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _zx_complete; [ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' x "$dir/zsend.bash" "$1"
}
expect_offered() { # LINE WANTED...
  local line=$1; shift
  printf '%s\n' "$@" | sort >"$t/wanted"
  offered "$line" 2>&1 | sort >"$t/found"
  same "$t/wanted" "$t/found" "$line"
}
for p in zsend zrecv; do
  options $p >"$t/wanted"; [ "$(wc -l <"$t/wanted")" -gt 20 ] || fail "not many options in --help of $p"
  offered "$p -" | sort >"$t/found"; same "$t/wanted" "$t/found" "bash, $p"
done
cd "$t/here"; touch local
expect_offered "zsend --ktls=" auto on off
expect_offered "zsend --ktls o" on off
expect_offered "zrecv --streams " auto
expect_offered "zrecv --durab" --durability; expect_offered "zsend --engine=m" mmap
for line in "zsend loc" "zsend --key-file " "zsend --json=" "zsend -- --ktls" "zsend ./b" "zsend zs://b" "zsend "; do
  [ -z "$(offered "$line")" ] || fail "not left to readline: $line"
done
expect_offered "zsend local bo" box: boat:
touch "bo t"
mkdir bo
expect_offered "zsend bo" box: boat: 'bo\ t ' bo/

# The far side: a fake ssh that runs what it is told here, after noise, and notes its arguments.
mkdir "$t/far"; cd "$t/far"; mkdir dir; touch 'pa th' 'pa$(touch pwned)' "pa'q" $'pa\nnl' pab; cd "$t/here"
cat >"$t/bin/ssh" <<'S'
#!/bin/bash
printf '%s\n' "$@" >>"$T/ssh.args"
echo "Welcome! zx-paths"; cd "$T/far"; exec sh -s
S
chmod 755 "$t/bin/ssh"; export T=$t
expect_offered "zsend x box:pa" 'pa\ th ' 'pa\$\(touch\ pwned\) ' "pa\\'q " "\$'pa\\nnl' " 'pab '
expect_offered "zrecv box:d" dir/
expect_offered "zsend x root@box:pa\\ t" 'pa\ th '; grep -qx 'root@box' "$t/ssh.args" || fail "not the host"
expect_offered 'zsend x box:pa\$\(' 'pa\$\(touch\ pwned\) '
expect_offered "zsend x box:" 'pa\ th ' 'pa\$\(touch\ pwned\) ' "pa\\'q " "\$'pa\\nnl' " 'pab ' dir/
[ ! -e "$t/far/pwned" ] && [ ! -e "$t/here/pwned" ] || fail "a name was run"
! grep -q 'pa' "$t/ssh.args" || fail "a path went through the remote shell"
grep -qx BatchMode=yes "$t/ssh.args" && grep -q '^ConnectTimeout=' "$t/ssh.args" || fail "ssh might ask, or wait: $(cat "$t/ssh.args")"
if zsend --help | grep -q '^  -J'; then
  rm "$t/ssh.args"; offered 'zsend -P 2222 -F my\ config -oUser=me -4 x box:pab' >/dev/null
  printf '%s\n' -p 2222 -F "my config" -o User=me -4 >"$t/wanted"; head -7 "$t/ssh.args" >"$t/found"; same "$t/wanted" "$t/found" "options for ssh"
fi
rm "$t/ssh.args"
for bad in 'zsend x -oProxyCommand=x:pa' 'zsend -- -oProxyCommand:pa' 'zsend x a@-b:pa' 'zsend x b\;ox:pa' 'zsend x $(box):pa' 'zsend -S ./other x box:pa' 'zsend x ./box:pa' 'zsend x dir/box:pa'; do
  [ -z "$(offered "$bad")" ] && [ ! -e "$t/ssh.args" ] || fail "ssh was started for $bad"
done

if command -v zsh >/dev/null; then
  zsh -n "$dir/_zsend" || fail "zsh does not read it"
  for p in zsend zrecv; do
    options $p >"$t/wanted"; zsh -fc '. "$1"; _zx_specs "$2"' x "$dir/_zsend" $p >"$t/specs"
    sed 's/^([^)]*)//; s/[+=[].*//' "$t/specs" | sort >"$t/found"; same "$t/wanted" "$t/found" "zsh, $p"
  done
  grep -qF ':word:(auto on off)' "$t/specs" && grep -qF '(auto)' "$t/specs" || fail "zsh: not the words of --ktls and --streams"
fi
if command -v fish >/dev/null; then
  fish --no-execute "$dir/zsend.fish" || fail "fish does not read it"
  export HOME=$t
  for p in zsend zrecv; do
    options $p >"$t/wanted"; for start in - --; do fish --no-config -c 'source $argv[1]; complete -C "$argv[2] $argv[3]"' "$dir/zsend.fish" $p $start; done | cut -f1 | sort -u >"$t/found"
    same "$t/wanted" "$t/found" "fish, $p"
  done
  fish --no-config -c 'source $argv[1]; complete -C "zsend --ktls="' "$dir/zsend.fish" | cut -f1 | sort >"$t/found"
  printf '%s\n' --ktls=auto --ktls=off --ktls=on >"$t/wanted"; same "$t/wanted" "$t/found" "fish, words"
fi
