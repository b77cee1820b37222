#!/usr/bin/env bash
# Builds the pair and moves a file of 1 GiB that it makes itself over an encrypted loopback connection.
# Does everything on a bare Debian 12, packages included. Environment: SIZE, in MiB (1024).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
install_packages "${build_packages[@]}" xxhash
echo "building (the first time that takes some minutes)"
build quickstart release -DZX_TESTS=OFF
bin=$root/build/quickstart

work=$(mktemp -d "${TMPDIR:-/tmp}/zx-quickstart.XXXXXX")
recv=
cleanup() { [ -z "$recv" ] || kill "$recv" 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT
mkdir "$work/there"
echo "making a file of ${SIZE:-1024} MiB"
head -c $((${SIZE:-1024} * 1048576)) /dev/urandom >"$work/file"

# The receiver waits, makes a one-time key and says so; FIFO: no polling for its first line.
mkfifo "$work/events"
"$bin/zrecv/zrecv" --listen 127.0.0.1:0 --json="$work/events" --digest="$work/digest" "$work/there" 2>"$work/recv.err" &
recv=$!
exec 3<"$work/events"
read -r listening <&3
port=$(sed 's/.*"port":\([0-9]*\).*/\1/' <<<"$listening")
ZXFER_KEY=$(sed 's/.*"key":"\([^"]*\)".*/\1/' <<<"$listening")
export ZXFER_KEY
echo "\$ zrecv --listen 127.0.0.1:0 there"
echo "\$ ZXFER_KEY=... zsend file zs://127.0.0.1:$port"
"$bin/zsend/zsend" -v --digest="$work/sent" "$work/file" "zs://127.0.0.1:$port"
summary=$(cat <&3 | tail -1)
wait "$recv"; recv=
cmp "$work/file" "$work/there/file"

value() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"$summary"; }
awk -v b="$(value bytes)" -v s="$(value seconds)" 'BEGIN {printf "\ntime      %.3f s\nrate      %.2f GB/s\n", s, b / s / 1e9}'
echo "path      sender $(value tx), receiver $(value rx), TLS record layer: $(value tls)"
echo "cipher    $(value cipher)"
echo "digest    $(cut -d' ' -f1 "$work/digest") (XXH3-128)"
echo "durable   $(value durable)"
echo "content   equal"
echo "install   cmake --install ${bin#"$PWD"/}   (as root into /usr/local; --prefix DIR for another place)"
