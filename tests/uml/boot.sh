#!/usr/bin/env bash
# Boots User-Mode Linux with the host's root as its own and runs one command in it, as root.
#   boot.sh [-t SECONDS] [-m MEM] [-d FOLDER] COMMAND [ARG...]
#   -t  the time the guest has, boot included (300)    -m  its memory (1024M); tmpfs comes out of it
#   -d  a folder of the host that the guest may write to, under the same path
# The guest sees the host's files by hostfs, mounted read-only: a guard against accidents, not against a
# guest that remounts it. /run and $TMPDIR are a tmpfs of its own, lo is up, `modprobe NAME` finds the
# modules of its kernel. Standard input is empty; output and errors come on standard output.
# Status: that of COMMAND; 124 out of time, 125 the guest did not boot, 126 it died before COMMAND ended.
# No process is left behind, however this ends. Debian 12: user-mode-linux kmod iproute2 util-linux.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
limit=300 memory=1024M writable=
while getopts t:m:d: option; do
  case $option in
    t) limit=$OPTARG ;;
    m) memory=$OPTARG ;;
    d) writable=$(realpath "$OPTARG") ;;
    *) sed -n '3,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { sed -n '3,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
for program in linux.uml:user-mode-linux modprobe:kmod ip:iproute2 setpriv:util-linux; do
  PATH=$PATH:/usr/sbin:/sbin command -v "${program%:*}" >/dev/null ||
    { echo "boot.sh: no ${program%:*}: apt install ${program#*:}" >&2; exit 125; }
done

job=$(mktemp -d "${TMPDIR:-/tmp}/zx-uml.XXXXXX")
uml=
# The whole group: on KILL the kernel's own process leaves those of the guest behind.
end_guest() { [ -z "$uml" ] || { kill -9 -- "-$uml"; wait "$uml"; } 2>/dev/null || true; uml=; }
trap 'end_guest; rm -rf "$job"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Kernel arguments carry no spaces: the command goes through a file. The word that marks begin and end of
# its output is not to be met by chance in it.
mark="zx-guest-$RANDOM$RANDOM$RANDOM"
{ printf 'mark=%q writable=%q\ncd %q\nset --' "$mark" "$writable" "$PWD"; printf ' %q' "$@"; } >"$job/command"
cp "$here/init.sh" "$job/init"
chmod 755 "$job" "$job/init"
mkfifo "$job/console"
# Its memory is a file that it maps executable, in TMPDIR if that is given: /dev/shm where that will do.
shm=$job
findmnt -no OPTIONS -T /dev/shm 2>/dev/null | grep -q noexec ||
  [ "$(df --output=avail -B1 /dev/shm 2>/dev/null | tail -1)" -lt "$(numfmt --from=iec "$memory")" ] || shm=/dev/shm

# In a session of its own, to be ended as a group; and by TERM, at which it ends its processes itself,
# should this script be killed so that it cannot do anything.
TMPDIR=$shm setsid setpriv --pdeathsig TERM linux.uml mem="$memory" uml_dir="$job/" root=/dev/root \
  rootfstype=hostfs rootflags=/ ro init="$job/init" zx_job="$job" con=null con0=fd:0,fd:1 quiet loglevel=2 \
  </dev/null >"$job/console" 2>&1 &
uml=$!

# say LINE: a line of the console before, in or after the output of the command. Sets $phase, $status.
phase=boot status=
say() {
  case $1 in
    *"$mark begin") phase=run ;;
    *"$mark end "*)
      phase=end status=${1##*"$mark end "}
      printf %s "${1%"$mark end "*}" ;;  # output that ended in the middle of a line
    *) if [ $phase = run ]; then printf '%s\n' "$1"; else printf '%s\n' "$1" >>"$job/log"; fi ;;
  esac
}
deadline=$((SECONDS + limit)) late=
exec 3<"$job/console"
while [ $phase != end ]; do
  left=$((deadline - SECONDS)) got=0
  [ $left -gt 0 ] || { late=yes; break; }
  IFS= read -rt "$left" line <&3 || got=$?
  if [ $got -gt 128 ]; then late=yes; break; fi
  [ $got = 0 ] || [ -n "$line" ] || break
  say "$line"
done
end_guest

case $phase in
  end) exit "$status" ;;
  run) [ -z "$late" ] || { echo "boot.sh: the guest was ended after $limit s" >&2; exit 124; }
    echo "boot.sh: the guest died" >&2; exit 126 ;;
  boot) echo "boot.sh: the guest did not boot${late:+ within $limit s}; its console:" >&2
    tail -n 20 "$job/log" >&2 2>/dev/null || true
    exit 125 ;;
esac
