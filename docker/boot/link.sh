# shellcheck shell=sh
# ask_real PROGRAM ARGUMENT…: runs the image's PROGRAM, with the paths of our server wrappers replaced by those of the servers they stand for.
# shellcheck source=lib.sh
. "${REDIS_HA_HOME:-/redis-ha}/bin/lib.sh"

ask_real() {
  program=$1
  shift
  count=$#
  while [ "$count" -gt 0 ]; do
    word=$1
    shift
    case $word in
    "$HA_BIN"/shim/*-server) word=${REDIS_HA_SERVER:-$(real_program "${word##*/}" || printf '%s' "$word")} ;;
    esac
    set -- "$@" "$word"
    count=$((count - 1))
  done
  PATH=$HA_PATH
  exec "$program" "$@"
}
