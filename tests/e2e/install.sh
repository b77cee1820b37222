# cmake --install puts programs, manuals and the request for the module where they belong, and the
# installed pair works.
. "$(dirname "$0")/lib.sh"
build=$(dirname "$(dirname "$ZSEND")")
cmake --install "$build" --prefix "$t/usr" >"$t/out" || fail "cmake --install"
for f in bin/zsend bin/zrecv share/man/man1/zsend.1 share/man/man1/zrecv.1 share/man/man7/zsend-transfer.7 \
  share/man/man7/zsend-protocol.7 share/bash-completion/completions/zsend share/bash-completion/completions/zrecv share/zsh/site-functions/_zsend \
  share/fish/vendor_completions.d/zsend.fish share/fish/vendor_completions.d/zrecv.fish; do
  [ -s "$t/usr/$f" ] || fail "$f was not installed"
done
# Lines that begin with # or ; are comments (modules-load.d(5)): what is left are names of modules.
modules=$(grep -v '^[[:space:]]*[#;]' "$t/usr/lib/modules-load.d/zsend.conf") || fail "no request for the module"
[ "$modules" = tls ] || fail "modules-load.d/zsend.conf asks for: $modules"
ZSEND=$t/usr/bin/zsend ZRECV=$t/usr/bin/zrecv; mkdir "$t/d"; random_file "$t/f" 5000
start_recv -q "$t/d"; "$ZSEND" -q "$t/f" "zs://127.0.0.1:$port"; wait "$recv"; expect_same "$t/f" "$t/d/f"

# zsh finds the completion of both programs in the folder, which below /usr/local is in its fpath.
if command -v zsh >/dev/null; then
  zsh -fc 'fpath=("$1" $fpath); autoload -Uz compinit; compinit -u -d "$2"; print $_comps[zsend] $_comps[zrecv]' \
    x "$t/usr/share/zsh/site-functions" "$t/zcompdump" >"$t/zsh"
  [ "$(cat "$t/zsh")" = "_zsend _zsend" ] || fail "zsh knows: $(cat "$t/zsh")"
fi
# After a build that was interrupted it says what to do.
sed "s|$build/zsend/zsend|$t/none/zsend|g" "$build/cmake_install.cmake" >"$t/cmake_install.cmake"
status_of cmake -DCMAKE_INSTALL_PREFIX="$t/other" -P "$t/cmake_install.cmake" >"$t/out" 2>"$t/cmake.err"
[ "$status" != 0 ] || fail "installs what was not built"
tr -s ' \n' ' ' <"$t/cmake.err" | grep -q "not built yet, or not to the end: cmake --build $build" ||
  fail "does not say what to do"
[ ! -e "$t/other" ] || fail "something was installed"
