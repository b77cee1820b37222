# Odd files for --tls-cert and --tls-ca: no prompt, no hang, and words that say what is wrong.
. "$(dirname "$0")/lib.sh"
cd "$t"; echo x >f
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
  -subj /CN=x >/dev/null 2>&1 || fail "openssl req"
chmod 600 key.pem
# A PEM block may be encrypted whatever is in it; reading it would ask for the pass phrase.
{ printf '%s\n' "-----BEGIN CERTIFICATE-----" "Proc-Type: 4,ENCRYPTED" "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF" ""
  sed 1d cert.pem; } >locked.pem
mkfifo pipe

# refused CERT CA WORDS
refused() {
  status_of timeout 10 script -qec "$(printf '%q ' "$ZSEND" --tls-cert="$1" --tls-key=key.pem --tls-ca="$2" f zs://127.0.0.1:9)" /dev/null >out </dev/null
  [ "$status" = 3 ] || [ "$status" = 6 ] || { cat out >&2; fail "--tls-cert=$1 --tls-ca=$2 ended with $status"; }
  ! grep -qi "pass phrase" out || fail "--tls-cert=$1 --tls-ca=$2 asks for a pass phrase"
  expect_in out "$3"
}
bad=()
( trap - EXIT; refused locked.pem cert.pem "--tls-cert 'locked.pem'" ) || bad+=("an encrypted --tls-cert")
( trap - EXIT; refused cert.pem locked.pem "--tls-ca 'locked.pem'" ) || bad+=("an encrypted --tls-ca")
( trap - EXIT; refused pipe cert.pem "--tls-cert 'pipe'" ) || bad+=("a FIFO as --tls-cert")
( trap - EXIT; refused cert.pem pipe "--tls-ca 'pipe'" ) || bad+=("a FIFO as --tls-ca")
( trap - EXIT; refused missing cert.pem "No such file" ) || bad+=("no --tls-cert")
( trap - EXIT; refused cert.pem missing "No such file" ) || bad+=("no --tls-ca")
[ ${#bad[@]} = 0 ] || fail "${bad[*]}"
