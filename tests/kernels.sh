#!/usr/bin/env bash
# Runs what is particular to kernel TLS on kernels of Debian, in QEMU: transfers of both programs and the unit
# tests of the record layer (the scripts are those of tests/e2e and tests/uml). Not part of tests/run.sh: it
# loads 20 to 60 MB for a kernel, and takes some minutes for each, because QEMU emulates every instruction.
#   tests/kernels.sh [OPTION...] VERSION...
#     VERSION            6.12, 7.3.4, ...: the newest cloud kernel that begins so; `newest`: of all there are
#   -c, --cpu TYPE       QEMU's CPU (max,-cx16); without AES instructions: max,-cx16,-aes,-pclmulqdq
#   -t, --tls MODULE     a tls.ko that was built for the kernel: Debian's 5.10 has none
#   -k, --keep FOLDER    keeps what was loaded there, for the next time
#   -o, --only SCRIPT    only this one (kernels/aes, e2e/rekey, ...); may be given again
# Prints a line for each script and `N passed, N failed` at the end. Status: 0 when nothing failed.
#
# It needs a Debian 12 or later on amd64, 8 GB in TMPDIR (where $TMPDIR is not set: /var/tmp) and the network;
# packages that are missing are installed (by sudo, when not root). Programs are those of $ZSEND, $ZRECV and
# $ZX_UNIT_TESTS, else those of build/release, which is built when it is not there.
#
# How it goes:
#  1. An apt of its own, with lists and cache in the scratch folder, knows the releases from Debian 11 on and
#     their backports and loads packages of kernels without installing them. A release that the mirror
#     ($ZX_MIRROR, $ZX_SECURITY_MIRROR) does not have is left out.
#  2. All kernels share one disk image, with the files of the packages that the scripts need, the programs, and
#     whatever libraries these are linked with, from this machine. QEMU writes to a snapshot of it.
#  3. For each kernel an initramfs: busybox and the modules for the disk, for TLS and its ciphers. It mounts the
#     image, and tests/kernels/guest.sh is process 1 from then on.
#  4. The console is the output. A kernel that does not come to the end counts as one failure.
# Everything is in one folder, which is removed at the end; no other processes are ended than those begun here.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
usage() { sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit "$1"; }
fail() { echo "kernels.sh: $*" >&2; exit 1; }

cpu=max,-cx16 tls_module='' keep='' only=() versions=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage 0 ;;
    -c | --cpu | -t | --tls | -k | --keep | -o | --only)
      [ $# -ge 2 ] || usage 2
      case $1 in
        -c | --cpu) cpu=$2 ;;
        -t | --tls) tls_module=$(realpath -e -- "$2") ;;
        -k | --keep) mkdir -p -- "$2"; keep=$(realpath -e -- "$2") ;;
        -o | --only) only+=("$2") ;;
      esac
      shift 2 ;;
    -*) usage 2 ;;
    *) versions+=("$1"); shift ;;
  esac
done
[ ${#versions[@]} -gt 0 ] || usage 2 >&2

# What the scripts run; their files are copied, so their names are those of packages.
guest_packages=(libc-bin bash coreutils sed grep mawk findutils diffutils util-linux mount procps kmod iproute2 openssl e2fsprogs xxhash
  login libpython3-stdlib python3-minimal python3.11-minimal libpython3.11-minimal libpython3.11-stdlib hostname)
install_packages qemu-system-x86 busybox-static e2fsprogs kmod cpio xz-utils debian-archive-keyring python3 openssl xxhash \
  iproute2 procps util-linux
if [ -z "${ZSEND:-}${ZRECV:-}${ZX_UNIT_TESTS:-}" ]; then
  install_packages "${build_packages[@]}"
  [ -x "$root/build/release/tests/unit/unit_tests" ] || build release release -DZX_TESTS=ON
fi
programs=("${ZSEND:-$root/build/release/zsend/zsend}" "${ZRECV:-$root/build/release/zrecv/zrecv}"
  "${ZX_UNIT_TESTS:-$(find "$root/build/release/tests" -maxdepth 2 -name unit_tests -type f | head -1)}")
for program in "${programs[@]}"; do [ -x "$program" ] || fail "no program ${program:-unit_tests}"; done

job=$(mktemp -d "${TMPDIR:-/var/tmp}/zx-kernels.XXXXXX")
qemu=
end_qemu() { [ -z "$qemu" ] || { kill -9 "$qemu"; wait "$qemu"; } 2>/dev/null || true; qemu=; }
trap 'end_qemu; rm -rf "$job"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
export PATH=$PATH:/usr/sbin:/sbin

# --- 1. packages of kernels

own=${keep:-$job}
mkdir -p "$own"/apt/{lists/partial,cache/archives/partial} "$own/packages"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=${ZX_MIRROR:-http://deb.debian.org/debian} security=${ZX_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
for release in bullseye bookworm trixie; do
  echo "deb [signed-by=$keyring] $mirror $release main"
  [ $release = bullseye ] || echo "deb [signed-by=$keyring] $mirror $release-backports main"
  echo "deb [signed-by=$keyring] $security $release-security main"
done >"$own/apt/sources.list"
cat >"$own/apt/apt.conf" <<C
Dir::State::lists "$own/apt/lists";
Dir::Cache "$own/apt/cache";
Dir::Etc::sourcelist "$own/apt/sources.list";
Dir::Etc::sourceparts "-";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
C
export APT_CONFIG=$own/apt/apt.conf
echo "apt: the lists of packages"
apt-get -q update >"$job/apt.log" 2>&1 || grep -E '^[EW]:' "$job/apt.log" >&2 || true

# Prints the release of the newest cloud kernel that begins with VERSION.
newest_of() {
  local begin=$1
  [ "$begin" != newest ] || begin=
  apt-cache pkgnames linux-image- | sed -n 's/^linux-image-\([0-9].*-cloud-amd64\)$/\1/p' |
    awk -v begin="$begin" 'index($0, begin) == 1 && (begin == "" || substr($0, length(begin) + 1, 1) ~ /[.+-]/)' |
    sort -V | tail -1
}

# Loads and unpacks a kernel below $job/RELEASE. Since 7.x its package has its parts as dependencies.
get_kernel() {
  local release=$1 package
  mkdir -p "$job/$release"
  for package in linux-image-"$release" $(apt-cache depends linux-image-"$release" |
    awk -v release="$release" '$1 == "Depends:" && index($2, "linux-") == 1 && substr($2, length($2) - length(release) + 1) == release {print $2}'); do
    compgen -G "$own/packages/${package}_*" >/dev/null || (cd "$own/packages" && apt-get -qq download "$package") || return 1
    dpkg -x "$own/packages/${package}"_*.deb "$job/$release" || return 1
  done
}

# --- 2. the disk

# Of programs and libraries: what they are linked with, where they look for it.
copy_libraries() {
  { find "$@" -type f \( -perm -u+x -o -name '*.so*' \) -exec ldd {} + 2>/dev/null || true; } |  # scripts too
    awk '/^\t/ {for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i}' | sort -u | while read -r library; do
      mkdir -p "$disk$(dirname "$library")"
      [ -e "$disk$library" ] || cp -L "$library" "$disk$library"
    done
}

make_disk() {
  disk=$job/disk
  mkdir -p "$disk"/{proc,sys,dev,run,root,etc,var/tmp,zx/bin,usr/lib,usr/lib64,usr/bin,usr/sbin}
  mkdir -m 1777 "$disk/tmp"
  for folder in lib lib64 bin sbin; do ln -s usr/$folder "$disk/$folder"; done
  local package
  for package in "${guest_packages[@]}"; do dpkg -L "$package" 2>/dev/null || true; done |
    grep -E '^(/usr)?/(bin|sbin|lib)/|^/etc/(alternatives|ssl)' | sort -u | while read -r file; do
      [ ! -d "$file" ] || [ -L "$file" ] || continue
      [ -e "$file" ] || continue
      mkdir -p "$disk$(dirname "$file")"
      cp -a "$file" "$disk$(dirname "$file")/" 2>/dev/null || true
    done
  cp -a /etc/alternatives "$disk/etc/"
  [ -e "$disk/usr/bin/awk" ] || ln -s mawk "$disk/usr/bin/awk"
  [ -e "$disk/usr/bin/sh" ] || ln -s bash "$disk/usr/bin/sh"
  [ -e "$disk/usr/bin/python3" ] || ln -s "$(basename "$(realpath /usr/bin/python3)")" "$disk/usr/bin/python3"
  cp "${programs[0]}" "$disk/zx/bin/zsend"; cp "${programs[1]}" "$disk/zx/bin/zrecv"; cp "${programs[2]}" "$disk/zx/bin/unit_tests"
  mkdir "$disk/zx/tests"
  cp -r "$root"/tests/{e2e,uml,kernels,tools,peer} "$disk/zx/tests/"
  printf '%s\n' root:x:0:0:root:/root:/bin/bash nobody:x:65534:65534:nobody:/:/bin/sh >"$disk/etc/passwd"
  printf '%s\n' root:x:0: nogroup:x:65534: >"$disk/etc/group"
  echo 127.0.0.1 localhost >"$disk/etc/hosts"; echo 'hosts: files' >"$disk/etc/nsswitch.conf"
  [ ${#only[@]} = 0 ] || printf '%s\n' "${only[@]}" >"$disk/zx/only"
  copy_libraries "$disk/usr" "$disk/zx"
  # Loaded by name, not linked.
  mkdir -p "$disk/usr/lib/x86_64-linux-gnu"
  cp -L /usr/lib/x86_64-linux-gnu/libnss_files.so.2 "$disk/usr/lib/x86_64-linux-gnu/" 2>/dev/null || true
  cp -a /usr/lib/x86_64-linux-gnu/ossl-modules "$disk/usr/lib/x86_64-linux-gnu/" 2>/dev/null || true
  truncate -s 5G "$job/disk.img"
  mke2fs -q -t ext4 -E root_owner=0:0 -d "$disk" "$job/disk.img"
  rm -rf "$disk"
}

# --- 3. the initramfs

make_initramfs() {
  local release=$1 tree=$job/$1/initramfs modules
  modules=$(find "$job/$release" -type d -path "*/modules/$release" | head -1)
  mkdir -p "$tree/bin" "$tree/lib/modules/$release" "$tree"/{proc,sys,dev,disk}
  (cd "$modules" && { find kernel/{crypto,arch/x86/crypto,lib,net/tls,net/sched,net/ipv4,fs/ext4,fs/jbd2,fs/mbcache*} \
    kernel/drivers/{virtio,block/virtio_blk*,block/loop*} -name '*.ko*' 2>/dev/null ||
    true; } |  # what it does not have
    cpio -pdm --quiet "$tree/lib/modules/$release")
  cp "$modules"/modules.{order,builtin*} "$tree/lib/modules/$release" 2>/dev/null || true
  find "$tree" -name '*.ko.xz' -exec xz -d {} +
  if [ -n "$tls_module" ]; then
    mkdir -p "$tree/lib/modules/$release/kernel/net/tls"
    cp "$tls_module" "$tree/lib/modules/$release/kernel/net/tls/tls.ko"
  fi
  depmod -b "$tree" "$release" 2>/dev/null
  cp "$(command -v busybox)" "$tree/bin/busybox"
  cp "$root/tests/kernels/initramfs.sh" "$tree/init"
  chmod 755 "$tree/init"
  (cd "$tree" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$job/$release/initrd"
  rm -rf "$tree"
}

# --- 4. the run

# The guest's clock goes by the counter of this CPU. Beside other work the guest measures that wrongly (a guest
# whose hours took ten minutes was seen), and every time limit with it: it is told.
khz=$(awk '/^cpu MHz/ {print int($4 * 1000); exit}' /proc/cpuinfo)

# Sets passed_here and failed_here.
run_kernel() {
  local release=$1 kernel
  kernel=$(find "$job/$release" -name "vmlinuz*" -type f | head -1)
  : >"$job/console"
  TMPDIR=$job setsid setpriv --pdeathsig KILL qemu-system-x86_64 -M q35 -accel "${QEMU_ACCEL:-tcg,thread=multi}" \
    -cpu "$cpu" -smp 2 -m 2048 -nodefaults -display none -serial stdio -no-reboot -kernel "$kernel" \
    -initrd "$job/$release/initrd" -drive "file=$job/disk.img,format=raw,if=virtio,snapshot=on" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable tsc_early_khz=$khz random.trust_cpu=on" \
    </dev/null >"$job/console" 2>&1 &
  qemu=$!
  ( trap - EXIT; exec tail -n +1 -f --pid=$qemu "$job/console" ) | sed -u 's|\r||g' | grep --line-buffered -vE '^(zx-guest-|$)' || true
  wait "$qemu" || true
  qemu=
  passed_here=$(tr -d '\r' <"$job/console" | grep -c '^passed ' || true)
  failed_here=$(tr -d '\r' <"$job/console" | grep -cE '^(failed|skipped) ' || true)
  tr -d '\r' <"$job/console" | grep -q '^zx-guest-end' ||
    { echo "kernels.sh: $release did not come to the end" >&2; failed_here=$((failed_here + 1)); }
}

make_disk
passed=0 failed=0
for version in "${versions[@]}"; do
  release=$(newest_of "$version")
  if [ -z "$release" ]; then
    echo "kernels.sh: no cloud kernel $version on the mirror" >&2; failed=$((failed + 1)); continue
  fi
  get_kernel "$release" || { echo "kernels.sh: $release cannot be loaded" >&2; failed=$((failed + 1)); continue; }
  make_initramfs "$release"
  echo "== $release, -cpu $cpu"
  run_kernel "$release"
  echo "== $release: $passed_here passed, $failed_here failed"
  passed=$((passed + passed_here)) failed=$((failed + failed_here))
  rm -rf "${job:?}/$release"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
