# Every command of EXAMPLES in zsend(1) and zrecv(1), and of RECIPES in zsend-transfer(7), runs as it stands there and
# ends with 0: in a home of its own, "store" and "here" being this machine, by ssh or at the port of a listener.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ssh.sh"
start_sshd store
mkdir "$t/bin" "$t/home"; ln -s "$ZSEND" "$ZRECV" "$t/bin/"
printf '#!/bin/sh\nexec %s -F %s "$@"\n' "$(command -v ssh)" "$ssh_config" >"$t/bin/ssh"
# The only command here that a machine may not have: a stream out, or one in.
printf '#!/bin/sh\ncase $1 in send) head -c 3000000 /dev/urandom ;; receive) cat >/dev/null ;; *) exit 2 ;; esac\n' >"$t/bin/zfs"
chmod 755 "$t/bin/ssh" "$t/bin/zfs"
export HOME=$t/home PATH=$t/bin:$PATH
unset ZXFER_KEY

# examples PAGE SECTION: its literal blocks as a reader sees them, a line that goes on in one piece, each ended by \f.
examples() {
  awk -v section="$2" '/^\.Sh /{on = index($0, ".Sh " section) == 1} !on{next} /^\.Dl /{print substr($0, 5) "\f"}
    /^\.Ed/{block = 0; printf "\f"} block; /^\.Bd -literal/{block = 1}' "$ZX_SOURCE_DIR/man/$1" |
    sed 's/\\(dq/"/g; s/\\-/-/g; s/\\&//g; s/\\e/\\/g' | sed -e ':a' -e '/\\$/{N;s/\\\n *//;ba' -e '}'
}
sandbox() {
  rm -rf "$t/work"
  mkdir -p "$t/work/incoming" "$t/work/photos" "$t/work/home" "$t/store/backup"
  cd "$t/work"
  for f in photo.jpg report.pdf photos/one photos/two home/notes disk.img vg0-snapshot vg0-vm; do random_file $f 300001; done
  cp photo.jpg "$t/store/"; cp report.pdf disk.img "$t/store/backup/"; echo 'touch ran' >"$t/store/setup.sh"
  zsend -q --new-key transfer.key
}
# on_this_machine TEXT: with the places of this one.
on_this_machine() {
  sed "s|--listen 7717|--listen 127.0.0.1:0|; s#zs://\(store\|here\)#zs://127.0.0.1:${port:-0}#; s|/etc/zsend/backup.key|transfer.key|
    s|/srv/backup|incoming|; s|/usr/bin/||; s|^cd / |cd $t/work |; s|/dev/vg0/|vg0-|; s|sleep 60|exit|" <<<"$1"
}
begin() { # LINE: a listener
  : >"$t/listener.err"
  bash -c "exec $(on_this_machine "$1")" 2>>"$t/listener.err" & listener=$!; started+=("$listener")
  until_true eval "grep -q 'listening on port' '$t/listener.err' || ! kill -0 $listener 2>/dev/null"
  port=$(sed -n 's/.*listening on port \([0-9]*\).*/\1/p' "$t/listener.err")
  [ -n "$port" ] || fail "does not listen: $1"
  key=$(sed -n 's/.*ZXFER_KEY=\([^ ]*\).*/\1/p' "$t/listener.err")
}
run() { # TEXT: what ends by itself; a listener before it has ended then, too
  case $1 in *"--new-key transfer.key"*) rm -f transfer.key ;; esac
  on_this_machine "$1" >"$t/run"
  status_of timeout 60 env ${key:+ZXFER_KEY=$key} ${2:-bash -e} "$t/run" >"$t/run.out" 2>"$t/run.err" </dev/null
  expect_status 0 "$1"
  if [ -n "$listener" ]; then wait_for "$listener"; expect_status 0 "the listener before: $1"; fi
  listener='' key=''; count=$((count + 1))
}
example() { # BLOCK: one script, or a command a line
  local line; listener='' key=''
  case $1 in *' &'$'\n'* | *$'\n'done*) run "$1"; return ;; esac
  while read -r line; do
    case $line in *'--listen 7717'*) begin "$line" ;; *) run "$line" ;; esac
  done <<<"$1"
  [ -z "$listener" ] || fail "nobody comes: $1"
}

for page in zsend.1 zrecv.1; do
  sandbox; count=0
  while IFS= read -r -d $'\f' block; do example "${block%$'\n'}"; done < <(examples $page EXAMPLES)
  [ $count -ge 9 ] || fail "only $count examples were found in $page"
done
[ -e "$t/work/ran" ] || fail "setup.sh was not run"
expect_same "$t/store/photo.jpg" photo.copy; expect_same "$t/work/photos/one" incoming/photos/one
expect_same "$t/store/backup/disk.img" disk.img

# The recipes: the unit of systemd receives what the script sends.
sandbox; count=0 service=''
while IFS= read -r -d $'\f' block; do
  block=${block%$'\n'}
  case $block in
    '#!'*) script=$block ;;
    *ExecStart=*zrecv*) service=$(sed -n 's/^ExecStart=//p' <<<"$block") ;;
    *'[Unit]'* | *' root '* | *--ktls=on*) ;;  # only a reader can tell
    *) example "$block" ;;
  esac
done < <(examples zsend-transfer.7 RECIPES)
[ $count -ge 8 ] || fail "only $count recipes were found"
expect_same vg0-vm "$t/store/vm.img"
begin "$service"; run "$script" sh
tar -xOf incoming/home-*.tar home/notes | cmp - home/notes || fail "not what the script has sent"
