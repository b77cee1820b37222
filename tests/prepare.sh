# Sourced by quickstart.sh and run.sh: what both need on a bare Debian 12.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# install_packages NAME...: those that are missing; needs root only when some are.
install_packages() {
  local missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

build_packages=(g++ cmake ninja-build pkg-config libcli11-dev libssl-dev libxxhash-dev liburing-dev catch2)
# zsh and fish only read their completions, mandoc the manual pages: without them that part of a test is left out.
test_packages=(python3 openssl xxhash strace util-linux bsdutils procps user-mode-linux kmod iproute2 e2fsprogs
  acl rsync openssh-server openssh-client nftables zsh fish mandoc)

# build DIRECTORY PRESET [CMAKE OPTIONS...]: configures and builds into build/DIRECTORY.
build() {
  local dir=$root/build/$1 preset=$2; shift 2
  mkdir -p "$dir"
  cmake -S "$root" --preset "$preset" -B "$dir" -G Ninja "$@" >"$dir/build.log" 2>&1 &&
    cmake --build "$dir" >>"$dir/build.log" 2>&1 || { tail -50 "$dir/build.log" >&2; return 1; }
}
