# Mutual certificates: who is let in, in both directions, and who is not, with which status, while the listener
# says so and goes on listening.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; random_file "$t/f" 3000000
cd "$t"

# --- a throw-away CA; two of them

ca() {  # NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.pem" -days 2 \
    -subj "/CN=$1" >/dev/null 2>&1 || fail "openssl req -x509"
}
# certificate NAME CA SAN EKU [FROM TO]: NAME.pem and NAME.key.
certificate() {
  local name=$1 ca=$2 san=$3 eku=$4 from=${5:-} to=${6:-}
  : >"$name.cnf"
  { echo "[req]"; echo "distinguished_name=dn"; echo "[dn]"; echo "[ext]"
    [ -z "$san" ] || echo "subjectAltName=$san"
    [ -z "$eku" ] || echo "extendedKeyUsage=$eku"; } >"$name.cnf"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.csr" \
    -subj "/CN=$name" -config "$name.cnf" >/dev/null 2>&1 || fail "openssl req"
  chmod 600 "$name.key"
  mkdir -p "$ca.d"; : >"$ca.d/index.txt"; openssl rand -hex 8 >"$ca.d/serial"
  cat >"$ca.cnf" <<CONFIG
[ca]
default_ca=x
[x]
database=$ca.d/index.txt
serial=$ca.d/serial
new_certs_dir=$ca.d
default_md=sha256
policy=p
unique_subject=no
[p]
commonName=supplied
CONFIG
  openssl ca -batch -config "$ca.cnf" -cert "$ca.pem" -keyfile "$ca.key" -in "$name.csr" -out "$name.pem" -notext \
    -extfile "$name.cnf" -extensions ext -startdate "${from:-20000101000000Z}" -enddate "${to:-20991231235959Z}" \
    >/dev/null 2>"$name.log" || { cat "$name.log" >&2; fail "openssl ca"; }
}
ca good; ca bad
certificate server good DNS:localhost,IP:127.0.0.1 serverAuth
certificate client good "" clientAuth
certificate both good DNS:localhost,IP:127.0.0.1 ""
certificate foreign_server bad DNS:localhost,IP:127.0.0.1 serverAuth
certificate foreign_client bad "" clientAuth
certificate expired_server good IP:127.0.0.1 serverAuth 20200101000000Z 20200102000000Z
certificate expired_client good "" clientAuth 20200101000000Z 20200102000000Z
certificate early_server good IP:127.0.0.1 serverAuth 20980101000000Z
certificate early_client good "" clientAuth 20980101000000Z
certificate name_only good DNS:localhost serverAuth
certificate address_as_name good DNS:127.0.0.1 serverAuth
certificate address_only good IP:127.0.0.1 serverAuth
certificate other_name good DNS:example.org serverAuth
certificate wildcard good DNS:*.org serverAuth
certificate localhost good "" serverAuth  # which is its common name, and no more
certificate client_as_server good DNS:localhost,IP:127.0.0.1 clientAuth

# with NAME [CA]: the options.
with() { echo --tls-cert="$t/$1.pem" --tls-key="$t/$1.key" --tls-ca="$t/${2:-good}.pem"; }

# transfer LISTENER_OPTIONS CONNECTOR_OPTIONS [HOST]: sets $listener and $connector. $who listens, and $listener
# is "stays" when it does after a connector that has failed.
transfer() {
  local host=${3:-127.0.0.1} program source
  rm -f "$t/d/f"; unset ZXFER_KEY
  if [ "$who" = recv ]; then start_recv $1 "$t/d"; else start_send $1 "$t/f"; fi
  [ -z "${environment_key:-}" ] || export ZXFER_KEY=$environment_key
  connector=0
  if [ "$who" = recv ]; then timeout 30 "$ZSEND" $2 "$t/f" "zs://$host:$port" 2>"$t/connector.err" </dev/null || connector=$?
  else timeout 30 "$ZRECV" $2 "zs://$host:$port" "$t/d" 2>"$t/connector.err" </dev/null || connector=$?; fi
  if [ $connector = 0 ]; then wait_for "${!who}"; listener=$status
  else still_listens $who ""; listener=stays; fi
}
one_line() { [ "$(grep -c 'error: ' "$1")" = 1 ] || fail "$1 has not one line of error"; }
works() {
  transfer "$@"
  [ "$listener$connector" = 00 ] || fail "$who listens, $*: listener $listener, connector $connector"
  expect_same "$t/f" "$t/d/f"
}
# refused LISTENER CONNECTOR CONNECTOR_STATUS [HOST]
refused() {
  transfer "$1" "$2" "${4:-}"
  [ "$listener $connector" = "stays $3" ] || fail "$who listens, $1 to $2 ${4:-}: listener $listener, connector $connector"
  [ "$(grep -c 'turned away: ' "$t/$who.err")" = 1 ] || fail "not turned away in one line"
  one_line "$t/connector.err"
  expect_only "$t/d" ""
}

for who in recv send; do
  works "$(with server)" "$(with client)"
  works "$(with server)" "$(with client)" localhost
  works "$(with both)" "$(with both)"
  works "$(with address_only)" "$(with client)"
  works "$(with name_only)" "$(with client)" localhost
  environment_key=$("$ZSEND" -q --new-key "$t/key.$who" && cat "$t/key.$who")
  works "$(with server)" "$(with client)"       # a key in the environment is not asked for
  unset environment_key

  rm -f "$t/d/f"
  refused "$(with foreign_server)" "$(with client)" 3
  expect_in "$t/connector.err" "verif"
  refused "$(with server)" "$(with foreign_client)" 3
  expect_in "$t/$who.err" "verif"
  refused "$(with server)" "$(with client bad)" 3      # trusts another
  refused "$(with server bad)" "$(with client)" 3
  refused "$(with expired_server)" "$(with client)" 3
  expect_in "$t/connector.err" "expired"
  refused "$(with server)" "$(with expired_client)" 3
  expect_in "$t/$who.err" "expired"
  refused "$(with early_server)" "$(with client)" 3
  expect_in "$t/connector.err" "not yet valid"
  refused "$(with server)" "$(with early_client)" 3
  expect_in "$t/$who.err" "not yet valid"
  refused "$(with name_only)" "$(with client)" 3
  refused "$(with address_only)" "$(with client)" 3 localhost
  expect_in "$t/connector.err" "certificate is for '127.0.0.1', not for 'localhost'"
  refused "$(with address_as_name)" "$(with client)" 3   # an address is no name
  refused "$(with other_name)" "$(with client)" 3 localhost
  expect_in "$t/connector.err" "the peer's certificate is for 'example.org', not for 'localhost'"
  expect_in "$t/$who.err" "the peer does not accept this side's certificate"
  refused "$(with wildcard)" "$(with client)" 3 localhost
  refused "$(with localhost)" "$(with client)" 3 localhost  # the common name alone is no name
  refused "$(with client_as_server)" "$(with client)" 3
  refused "$(with server)" "$(with server)" 3            # and a server's is not for a client

  # Another way to authenticate on the other side.
  refused "$(with server)" "--key-file=$t/key.$who" 9
  expect_in "$t/connector.err" "certificates"
  refused "--key-file=$t/key.$who" "$(with client)" 9
  refused "$(with server)" "--plain --no-auth" 9
  refused "--plain --no-auth" "$(with client)" 9
done

# --- files that cannot be used: found at the start, on either side, without a prompt

# unusable STATUS WORDS OPTIONS...
unusable() {
  local wanted=$1 words=$2; shift 2
  for side in send recv; do
    for form in listen connect; do
      program=$ZSEND operands=("$t/f" zs://127.0.0.1:9)
      case $side$form in
        sendlisten) operands=(--listen 127.0.0.1:0 "$t/f") ;;
        recvlisten) program=$ZRECV operands=(--listen 127.0.0.1:0 "$t/d") ;;
        recvconnect) program=$ZRECV operands=(zs://127.0.0.1:9 "$t/d") ;;
      esac
      # script(1) gives it a terminal to ask on; nothing is there to answer.
      status_of timeout 20 script -qec "$(printf '%q ' "$program" "$@" "${operands[@]}")" /dev/null >"$t/tty.out" </dev/null
      [ "$status" = "$wanted" ] || { cat "$t/tty.out" >&2; fail "$side $form $*: $status, not $wanted"; }
      ! grep -qi "pass phrase" "$t/tty.out" || fail "$side $form asks for a pass phrase"
      expect_in "$t/tty.out" "$words"
      one_line "$t/tty.out"
    done
  done
}
options() { echo --tls-cert="$t/$1" --tls-key="$t/$2" --tls-ca="$t/$3"; }
cp server.key open.key; chmod 640 open.key
openssl ec -in server.key -aes128 -passout pass:secret -out locked.key 2>/dev/null; chmod 600 locked.key
: >empty; chmod 600 empty
unusable 3 "open to group" $(options server.pem open.key good.pem)
unusable 3 "does not belong to the certificate" $(options server.pem client.key good.pem)
unusable 3 "unencrypted private key" $(options server.pem locked.key good.pem)
unusable 3 "unencrypted private key" $(options server.pem empty good.pem)
unusable 3 "not a regular file" $(options server.pem d good.pem)
unusable 3 "--tls-cert" $(options empty server.key good.pem)
unusable 3 "--tls-ca" $(options server.pem server.key empty)
unusable 2 "go together" --tls-cert="$t/server.pem"
unusable 2 "go together" --tls-cert="$t/server.pem" --tls-key="$t/server.key"
unusable 2 "exclude each other" $(with server) --key-file="$t/key.recv"
unusable 2 "exclude each other" $(with server) --plain
unusable 6 "--tls-cert" $(options missing server.key good.pem)
unusable 6 "--tls-ca" $(options server.pem server.key missing)
expect_only "$t/d" ""
