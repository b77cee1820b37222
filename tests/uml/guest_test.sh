# Sourced by the ctest entries of this folder. Skips, with the reason, where User-Mode Linux does not boot.
set -eu
: "${ZSEND:?}" "${ZRECV:?}" "${ZX_SOURCE_DIR:?}"
if [ -n "${ZX_SANITIZE:-}" ]; then
  echo "skip: about another kernel, not about what sanitizers find; their memory does not fit into the guest"
  exit 77
fi

# in_guest SCRIPT...: suite.sh with them in a guest; ends this script.
in_guest() {
  local status=0
  "$ZX_SOURCE_DIR/tests/uml/boot.sh" -t 840 \
    env ZSEND="$ZSEND" ZRECV="$ZRECV" ZX_SOURCE_DIR="$ZX_SOURCE_DIR" ZX_UNIT_TESTS="${ZX_UNIT_TESTS:-}" "$ZX_SOURCE_DIR/tests/uml/suite.sh" "$@" || status=$?
  if [ $status = 125 ]; then echo "skip: User-Mode Linux does not boot here"; exit 77; fi
  exit $status
}
