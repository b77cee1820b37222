# Mutual certificates instead of a key: with the right ones it works like a key, pushed and pulled. Another
# CA, an expired certificate, another host name, another purpose and none at all are refused with 3,
# whichever side they are on, and nothing is made; the listener says so and goes on listening.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ktls.sh"
command -v openssl >/dev/null || skip "no openssl"
quietly() { "$@" >"$t/openssl.err" 2>&1 || fail "$1 $2"; rm "$t/openssl.err"; }
for ca in ca other; do
  quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$ca" \
    -keyout "$t/$ca.key" -out "$t/$ca.pem"
done
# certificate NAME CA DAYS EXTENSIONS...
certificate() {
  local name=$1 ca=$2 days=$3; shift 3
  printf '%s\n' "$@" >"$t/extensions"
  quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$t/$name.key" -out "$t/$name.csr"
  quietly openssl x509 -req -in "$t/$name.csr" -CA "$t/$ca.pem" -CAkey "$t/$ca.key" -days "$days" -extfile "$t/extensions" -out "$t/$name.pem"
  chmod 600 "$t/$name.key"
}
here='subjectAltName=DNS:localhost,IP:127.0.0.1'
certificate good ca 2 $here
certificate stranger other 2 $here
certificate expired ca -1 $here
certificate elsewhere ca 2 subjectAltName=DNS:elsewhere.example,IP:127.0.0.2
certificate client_only ca 2 $here extendedKeyUsage=clientAuth
options_of() { echo --tls-cert "$t/$1.pem" --tls-key "$t/$1.key" --tls-ca "$t/ca.pem"; }
# between push|pull CONNECTOR LISTENER FILE...: begin, with these certificates.
between() {
  local way=$1 connector=$2 listener=$3; shift 3
  rm -f "$t"/d/*; unset ZXFER_KEY
  if [ "$way" = push ]; then set -- "$connector" "$listener" "$@"; else set -- "$listener" "$connector" "$@"; fi
  send_options=("$on" -4 $(options_of "$1")) recv_options=("$on" -4 $(options_of "$2")); shift 2
  begin "$way" "$@"
  [ -z "${ZXFER_KEY:-}" ] || fail "a key was made though there are certificates"
}
# refused push|pull STATUS WHAT [WORDS]: how a connector ends whom the listener does not take, or who does not take it.
refused() {
  local connector=send listener=recv
  [ "$1" = push ] || connector=recv listener=send
  wait_for "${!connector}"; expect_status "$2" "z$connector ($1, $3)"
  expect_in "$t/$connector.err" "error:"; expect_in "$t/$connector.err" "${4:-}"
  still_listens $listener "${4:-}"
}
random_file "$t/f" 3000001
for way in push pull; do
  for host in 127.0.0.1 localhost; do  # an address, and a name
    [ $way.$host != pull.localhost ] || continue
    between $way good good "$t/f"; end 0 0 "$way, $host"
    expect_same "$t/f" "$t/d/f"
    path_is "$t/send.json" tls=$tls tls_peer=$tls tx=$tx rx=$rx
    path_is "$t/recv.json" tls=$tls tls_peer=$tls tx=$tx rx=$rx
  done
  host=127.0.0.1
  # Connector and listener. Who refuses depends on who connects, not on who sends: pulled, two will do, and
  # in the guest of tests/uml they will do pushed too.
  pairs=("good stranger" "stranger good")
  if [ $way = push ] && [ -z "${ZX_GUEST:-}" ]; then
    between push client_only good "$t/f"; end 0 0 "a client's certificate at the connector"
    pairs+=("good expired" "expired good" "good elsewhere" "good client_only")
  fi
  for pair in "${pairs[@]}"; do
    between $way $pair "$t/f"
    refused $way 3 "$pair"
    expect_only "$t/d" ""
  done
done
# Certificates on one side and a key on the other: no agreement on the mode.
"$ZSEND" -q --new-key "$t/key"
send_options=(-4 $(options_of good)) recv_options=(-4 --key-file "$t/key")
for way in push pull; do
  begin $way "$t/f"; refused $way 9 "a key at the receiver only" "certificates need --tls-cert on both ends"
done
# A connector of another make, without a certificate; and with one, to see that nothing else is wrong with it.
stranger='import os, socket, ssl, sys
sys.path.insert(0, os.environ["ZX_SOURCE_DIR"] + "/tests/peer")
import speaker
port, role, ca = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
s = socket.create_connection(("127.0.0.1", port))
s.sendall(speaker.preface(role, mode=2))
answer = b""
while len(answer) < speaker.PREFACE:
    answer += s.recv(speaker.PREFACE - len(answer)) or sys.exit("no answer")
assert answer[14] == 0, answer
context = ssl.create_default_context(cafile=ca)
context.set_alpn_protocols(["zxfer/1"])
if len(sys.argv) > 4: context.load_cert_chain(*sys.argv[4:])
s = context.wrap_socket(s, server_hostname="127.0.0.1")
if len(sys.argv) == 4: s.recv(1)'
for role in 1:recv 2:send; do  # its role: sender, receiver
  for files in "" "$t/good.pem $t/good.key"; do
    if [ ${role#*:} = recv ]; then start_recv -4 --timeout=1 $(options_of good) "$t/d"; else start_send -4 --timeout=1 $(options_of good) "$t/f"; fi
    status_of env PYTHONDONTWRITEBYTECODE=1 timeout 20 python3 -c "$stranger" "$port" "${role%:*}" "$t/ca.pem" $files 2>"$t/stranger.err"
    if [ -z "$files" ]; then expect_status 1; expect_in "$t/stranger.err" CERTIFICATE_REQUIRED; else expect_status 0; fi
    if [ -z "$files" ]; then still_listens "${role#*:}" "certificate"
    else eval "wait_for \$${role#*:}"; expect_status 10 "${role#*:}, a connector that goes and does not come again"; fi
    expect_only "$t/d" ""
  done
done
