# shellcheck shell=sh
# Instead of redis-server or valkey-server: makes the configuration, starts the watcher beside it, and becomes the real server.
# Law 1: it never starts as master, whatever its configuration, arguments, data or the sentinels' word.
# shellcheck source=lib.sh
. "${REDIS_HA_HOME:-/redis-ha}/bin/lib.sh"
# shellcheck source=config.sh
. "$HA_BIN/config.sh"
# shellcheck source=tls.sh
. "$HA_BIN/tls.sh"
# shellcheck source=watch.sh
. "$HA_BIN/watch.sh"

server=${REDIS_HA_SERVER:-$(real_program "$HA_SERVER_NAME")} || die "$HA_SERVER_NAME is not in PATH"
PATH=$HA_PATH
export PATH

case ${1:-} in
-v | --version | -h | --help | --test-memory | --check-system) exec "$server" "$@" ;;
esac
for word in "$@"; do
  [ "$word" != --sentinel ] || exec "$server" "$@"
done

version=$("$server" --version)
version=${version#*v=}
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
case $major$minor in
'' | *[!0-9]*) die "$server does not tell its version" ;;
esac
[ $((major * 100 + minor)) -ge 602 ] || die "this is version $major.$minor; redis-ha needs Redis 6.2 or newer, or Valkey"

folder=$HA_HOME/redis
conf=$folder/redis.conf
first=$folder/first.conf
mask=$(umask)
umask 077
[ -d "$folder" ] || mkdir -p "$folder" || die "cannot make $folder"
draft=$folder/.user.conf
final=$folder/.redis.conf
rm -f "$draft" "$final" "$folder/started" "$folder/watched"
: >"$draft" || die "cannot write to $folder as user $(id -u): is the volume mounted read-only?"
# For the guard of bin/redis: the server is started through us.
: >"$folder/started"
[ -z "${REDIS_HA_GUARD:-}" ] || kill "$REDIS_HA_GUARD" 2>/dev/null
begin_tls

# The user's file, standard input, options: in the order in which the server reads them.
input=no
case ${1:--} in
-*) ;;
*)
  cat -- "$1" >>"$draft" || die "cannot read the configuration file $1 (as user $(id -u))"
  echo >>"$draft"
  shift
  first_is_file=yes
  ;;
esac
if [ $# -gt 0 ]; then
  count=$#
  position=0
  while [ $position -lt $count ]; do
    word=$1
    shift
    position=$((position + 1))
    if [ "$word" = - ] && { [ $position -eq $count ] || { [ $position -eq 1 ] && [ "${first_is_file:-no}" = no ]; }; }; then
      input=yes
    else
      set -- "$@" "$word"
    fi
  done
fi
if [ $input = yes ]; then
  cat >>"$draft"
  echo >>"$draft"
fi
options_to_lines "$@" >>"$draft"

user_settings=$(settings "$draft")
explain_overrides
report=$(boot_report)
setting replica-serve-stale-data yes
stale=$(yes_or_no "$value")
setting replica-priority 100
priority=${REDIS_HA_PRIORITY:-$value}
# Without a command line tool nobody here could give it back.
[ -n "$HA_CLI" ] || priority=

answers=$(ask_sentinels)
best=$(printf '%s\n' "$answers" | best_answer)
master_ip=$HA_NOBODY_HOST master_port=$HA_NOBODY_PORT
# shellcheck disable=SC2086 # five words
set -- $best
if [ -z "$best" ]; then
  log "starting as a waiting replica: no sentinel names a master for $HA_NAME yet"
elif [ "$1 $2" = "$HA_POD_IP $HA_PORT" ]; then
  log "starting as a waiting replica: the sentinels name this pod ($1:$2) as the master of $HA_NAME, but a restarted server may have lost data"
elif [ "$(role_of "$1" "$2")" != master ]; then
  # Dead, another group's by now (its password differs), or itself a replica: nothing to copy from there.
  log "starting as a waiting replica: the sentinels name $1:$2 as the master of $HA_NAME, but it does not answer as one"
else
  master_ip=$1 master_port=$2
  log "starting as a replica of $1:$2, the master of $HA_NAME (config-epoch $3)"
fi

if [ "$master_port" = "$HA_NOBODY_PORT" ] && nobody_answers; then
  die "refused: something answers on $HA_NOBODY_HOST:$HA_NOBODY_PORT, where nobody may be: a waiting replica would copy its data"
fi

# A replicaof of the user's would lose against ours anyway; as a comment it confuses nobody.
{
  LC_ALL=C sed -E 's/^[[:space:]]*["'\'']?([rR][eE][pP][lL][iI][cC][aA]|[sS][lL][aA][vV][eE])[oO][fF]["'\'']?[[:space:]]/# redis-ha: &/' "$draft" &&
    our_lines
} >"$final" || die "cannot write $final"
first_lines "$master_ip" "$master_port" >"$first" || die "cannot write $first"
mv -f "$final" "$conf" || die "cannot write $conf"
rm -f "$draft"
umask "$mask"

watch_server $$ </dev/null &
# The quiet of a waiting server is there before the server is; at most a second.
tries=0
while [ ! -e "$folder/watched" ] && [ $tries -lt 50 ]; do
  tries=$((tries + 1))
  blink
done
unset HA_SERVER_NAME REDIS_HA_SERVER REDIS_HA_GUARD
exec "$server" "$conf"
