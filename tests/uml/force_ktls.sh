#!/bin/sh
# In the place of zsend or zrecv (by the name it is called by): the program with kernel TLS or not at all.
# With ZX_FORCE=all, what a script asks for with --plain is done with kernel TLS too, under a key that both
# sides find here; else --plain stays plain.
here=$(dirname "$0") name=$(basename "$0")
case " $* " in
  *" --plain "*) [ "${ZX_FORCE:-}" = all ] || exec "$here/bin/$name" "$@" ;;
  *" --help "* | *" --version "* | *" --new-key"* | *" --ktls"*) exec "$here/bin/$name" "$@" ;;
esac
if [ "${ZX_FORCE:-}" = all ]; then
  for word; do
    shift
    case $word in --plain | --no-auth) ;; *) set -- "$@" "$word" ;; esac
  done
  [ -n "${ZXFER_KEY:-}" ] || { ZXFER_KEY=$(cat "$here/key"); export ZXFER_KEY; }
fi
exec "$here/bin/$name" --ktls=on --tls-cipher=aes128 "$@"
