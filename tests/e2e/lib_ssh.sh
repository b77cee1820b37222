# Sourced after lib.sh by the scripts about ssh. Private sshds on ports of the loopback, with throw-away keys, and
# a configuration for their clients in which they have names; nothing of the user's own ssh is read or written.
# The remote user's home is $t/NAME: start-up files of its shell, and bin/ in its PATH with both programs.
for program in sshd:openssh-server ssh:openssh-client ssh-keygen:openssh-client; do
  PATH=$PATH:/usr/sbin command -v "${program%:*}" >/dev/null || skip "no ${program%:*} (${program#*:})"
done
# sshd started by root wants the folder that its service makes.
[ "$(id -u)" != 0 ] || mkdir -p -m 755 /run/sshd
ssh_config=$t/ssh_config
unset SSH_AUTH_SOCK SSH_ASKPASS
for key in id host_key; do ssh-keygen -q -t ed25519 -N '' -f "$t/$key" || fail "ssh-keygen"; done
cp "$t/id.pub" "$t/authorized_keys"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start_sshd NAME [LINES of sshd_config...]: one more sshd, which clients with -F $ssh_config call NAME. Its log
# is $t/NAME.log, its port and process $NAME_port and $NAME_pid.
start_sshd() {
  local name=$1 port try; shift
  mkdir -p "$t/$name/bin"; ln -sf "$ZSEND" "$ZRECV" "$t/$name/bin/"
  for try in 1 2 3 4 5; do  # the port was free a moment ago
    port=$(free_port)
    printf '%s\n' "$@" "Port $port" "ListenAddress 127.0.0.1" "HostKey $t/host_key" "AuthorizedKeysFile $t/authorized_keys" \
      "PidFile none" "UsePAM no" "StrictModes no" "PasswordAuthentication no" "KbdInteractiveAuthentication no" \
      "PermitRootLogin yes" "PrintMotd no" "X11Forwarding no" "MaxStartups 100" "LogLevel DEBUG3" \
      "SetEnv HOME=$t/$name PATH=$t/$name/bin:/usr/local/bin:/usr/bin:/bin ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}" \
      'ForceCommand cd "$HOME" && exec env SHLVL=1 bash -c "$SSH_ORIGINAL_COMMAND"' >"$t/$name.conf"
    "$(PATH=$PATH:/usr/sbin command -v sshd)" -D -f "$t/$name.conf" -E "$t/$name.log" </dev/null >/dev/null 2>&1 &
    local pid=$!; started+=("$pid")
    until_true eval "grep -q 'Server listening' '$t/$name.log' 2>/dev/null || ! kill -0 $pid 2>/dev/null"
    if kill -0 "$pid" 2>/dev/null; then break; fi
    grep -q 'Address already in use' "$t/$name.log" || fail "sshd does not start: $(cat "$t/$name.log")"
    rm -f "$t/$name.log"
  done
  eval "${name}_port=$port ${name}_pid=$pid"
  printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 "$t/host_key.pub")" >>"$t/known_hosts"
  ssh_alias "$name" "$port"
}
# ssh_alias NAME PORT [LINES of ssh_config...]: a further name for the sshd on that port.
ssh_alias() {
  local name=$1 port=$2; shift 2
  { printf 'Host %s\n' "$name"
    printf '  %s\n' "HostName 127.0.0.1" "Port $port" "User $(id -un)" "IdentityFile $t/id" "IdentitiesOnly yes" \
      "UserKnownHostsFile $t/known_hosts" "GlobalKnownHostsFile /dev/null" "StrictHostKeyChecking yes" "BatchMode yes" \
      "LogLevel ERROR" "ControlMaster no" "ControlPath none" "$@"; } >>"$ssh_config"
}

# descendants PID: it and all below it. remote NAME: the programs that the sshd of that name has running.
descendants() { local child; echo "$1"; for child in $(cat "/proc/$1"/task/*/children 2>/dev/null); do descendants "$child"; done; }
remote() { local pid_name=${1}_pid pid; for pid in $(descendants "${!pid_name}"); do case $(cat "/proc/$pid/comm" 2>/dev/null) in zsend | zrecv) echo "$pid" ;; esac; done; }
nothing_left() { [ -z "$(remote "$1")" ]; }
# Nothing of all these names has been run by a shell.
expect_nothing_run() { [ -z "$(find "$t" -name 'pwned*')" ] || fail "a name was run by a shell: $(find "$t" -name 'pwned*')"; }
odd_names=('a b' "q'q\"" $'n\nl' 's;touch pwned' '$(touch pwned)' '`touch pwned`' '-dash' $'\xff\xfe' 'a:b' '*' 'x|y&z' 'back\slash' '~' ' ' $'tab\there' '>pwned' '#' '!!')
