#!/bin/sh
# Does what the entry point of the official image does: an option or a file name as the first word belongs to the server, and a
# server that is started as root gives its data folder and itself to its own user first.
set -e

if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
  set -- @SERVER@ "$@"
fi

if [ "$(id -u)" = 0 ]; then
  case "${1##*/}" in
    *-server | *-sentinel)
      find . \! -user @USER@ -exec chown @USER@ '{}' +
      exec setpriv --reuid=@USER@ --regid=@USER@ --clear-groups -- "$0" "$@"
      ;;
  esac
fi

if [ "$(umask)" = 0022 ]; then
  umask 0077
fi

exec "$@"
