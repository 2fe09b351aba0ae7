# shellcheck shell=sh
# shellcheck disable=SC2034 # used by those who read this file
# What the boot scripts share: names, log lines, bounded calls, and the question to the sentinels "who is master?".
# POSIX sh (dash, busybox ash) with only what the official redis and valkey images have. The names mirror model/names.ts; a unit test compares them.

HA_HOME=${REDIS_HA_HOME:-/redis-ha}
HA_BIN=$HA_HOME/bin
HA_POD_INFO=${REDIS_HA_POD_INFO:-/redis-ha-pod}
HA_NAME=${REDIS_HA_MASTER_NAME:-}
HA_PORT=${REDIS_HA_PORT:-6379}
HA_SENTINEL_PORT=${REDIS_HA_SENTINEL_PORT:-26379}
HA_POD_IP=${REDIS_HA_POD_IP:-}
# Where the pod's own processes listen, and what they bind: other values are for tests, where one machine plays several pods.
HA_LOCAL=${REDIS_HA_LOCAL:-127.0.0.1}
HA_BIND=${REDIS_HA_BIND:-* -::*}
# Where a redis that has no master yet is pointed (NOBODY in model/names.ts).
HA_NOBODY_HOST=${REDIS_HA_NOBODY_HOST:-127.0.0.1}
HA_NOBODY_PORT=6378
# With TLS: where the kubelet keeps certificate, key and CA. Empty: without TLS.
HA_TLS=${REDIS_HA_TLS_FOLDER:-}

# The password reaches the command line tools by their environment, never by an argument that `ps` would show.
if [ -n "${REDIS_HA_PASSWORD:-}" ]; then
  REDISCLI_AUTH=$REDIS_HA_PASSWORD
  VALKEYCLI_AUTH=$REDIS_HA_PASSWORD
  export REDISCLI_AUTH VALKEYCLI_AUTH
fi

log() { printf 'redis-ha: %s\n' "$*" >&2; }

die() {
  log "$*"
  exit 1
}

now() { date +%s; }

# A line of a configuration: `echo` would read backslashes in it.
line() { printf '%s\n' "$1"; }

# Short pauses, where the sleep of the image can do them.
nap() { sleep 0.1 2>/dev/null || sleep 1; }
blink() { sleep 0.02 2>/dev/null || sleep 1; }

# PATH without our own directory of wrappers: HA_PATH
HA_PATH=:$PATH:
while :; do
  case $HA_PATH in
  *":$HA_BIN/shim:"*) HA_PATH=${HA_PATH%%":$HA_BIN/shim:"*}:${HA_PATH#*":$HA_BIN/shim:"} ;;
  *) break ;;
  esac
done
HA_PATH=${HA_PATH#:}
HA_PATH=${HA_PATH%:}

# The full path of a program that is not one of our wrappers.
real_program() { (PATH=$HA_PATH && command -v "$1"); }

# The image's own server: the first of valkey-server and redis-server that it has.
find_server() { real_program valkey-server || real_program redis-server; }

find_cli() { real_program redis-cli || real_program valkey-cli; }

HA_CLI=$(find_cli) || HA_CLI=

# How the command line tool speaks TLS: it checks the chain, but no names, so an address will do. It shows our certificate to a server that asks for one.
# Whom to trust is written by the container's own script (tls.sh: trust); HA_PART says which that is.
HA_CLI_TLS=
use_tls() {
  authority=$HA_HOME/${HA_PART:-redis}/ca.crt
  [ -r "$authority" ] || authority=$HA_TLS/ca.crt
  HA_CLI_TLS="--tls --cacert $authority --cert $HA_TLS/tls.crt --key $HA_TLS/tls.key"
}
[ -z "$HA_TLS" ] || use_tls

# cli SECONDS HOST PORT COMMAND…: one command, bounded; prints the raw reply (errors too), nothing when there was none.
cli() {
  cli_seconds=$1 cli_host=$2 cli_port=$3
  shift 3
  [ -n "$HA_CLI" ] || return 1
  # shellcheck disable=SC2086 # words without spaces
  timeout "$cli_seconds" "$HA_CLI" $HA_CLI_TLS -h "$cli_host" -p "$cli_port" "$@" </dev/null 2>/dev/null
}

# The process that listens where nobody may be answers, with or without TLS.
nobody_answers() {
  for tls in '' "$HA_CLI_TLS"; do
    [ -z "$(HA_CLI_TLS=$tls && cli 1 "$HA_NOBODY_HOST" "$HA_NOBODY_PORT" ping)" ] || return 0
    [ -n "$HA_CLI_TLS" ] || return 1
  done
  return 1
}

# A word of a configuration file, quoted so that any character survives, a last line break too.
quote() {
  case $1 in
  *[\\\"]* | *"
"*)
    quoted=$(printf '%s.' "$1" | LC_ALL=C sed -e ':join' -e '$!{N;b join' -e '}' -e 's/[\\"]/\\&/g' -e 's/\n/\\n/g')
    printf '"%s"' "${quoted%.}"
    ;;
  *) printf '"%s"' "$1" ;;
  esac
}

# The addresses behind the sentinel Service, without our own.
sentinel_addresses() {
  [ -n "${REDIS_HA_SENTINEL_HOST:-}" ] || return 0
  timeout 1 getent ahosts "$REDIS_HA_SENTINEL_HOST" 2>/dev/null | awk -v own="$HA_POD_IP" 'NF && $1 != own && !seen[$1]++ { print $1 }'
}

# ask_sentinel ADDRESS: one line `EPOCH IP PORT OTHERS ADDRESS QUORUM DOWN_AFTER FAILOVER_TIMEOUT PARALLEL_SYNCS`,
# or `none ADDRESS` from a sentinel that knows no such group, or nothing.
ask_sentinel() {
  cli 1 "$1" "$HA_SENTINEL_PORT" sentinel master "$HA_NAME" | awk -v address="$1" '
    { line[NR] = $0 }
    END {
      if (NR == 0) exit
      for (i = 1; i < NR; i += 2) value[line[i]] = line[i + 1]
      if (value["ip"] == "" || value["port"] == "") { print "none", address; exit }
      print value["config-epoch"] + 0, value["ip"], value["port"], value["num-other-sentinels"] + 0, address, value["quorum"] + 0, \
        value["down-after-milliseconds"] + 0, value["failover-timeout"] + 0, value["parallel-syncs"] + 0
    }'
}

# Asks our own sentinel and all others at once; the lines of ask_sentinel. At most 2 s: 1 s for the names, 1 s for the answers.
ask_sentinels() {
  {
    ask_sentinel "$HA_LOCAL" &
    for address in $(sentinel_addresses); do
      [ "$address" = "$HA_LOCAL" ] || ask_sentinel "$address" &
    done
    wait
  }
}

# Some sentinel is in the middle of a failover of this group.
failover_is_on() {
  for address in $HA_LOCAL $(sentinel_addresses); do
    if cli 1 "$address" "$HA_SENTINEL_PORT" sentinel master "$HA_NAME" | grep -q failover_in_progress; then return 0; fi
  done
  return 1
}

# Reads answers; prints `IP PORT EPOCH AGREEING VOTERS` of the highest config-epoch (on a tie what most say), nothing where nobody knows a master.
best_answer() {
  awk '
    $1 == "none" || NF < 5 { next }
    {
      n++; epoch[n] = $1; where[n] = $2 " " $3; voters[n] = $4 + 1
      if (n == 1 || $1 + 0 > highest + 0) highest = $1
    }
    END {
      for (i = 1; i <= n; i++) {
        if (epoch[i] != highest) continue
        count[where[i]]++
        if (voters[i] > all) all = voters[i]
      }
      for (w in count) if (count[w] > most || (count[w] == most && w < best)) { most = count[w]; best = w }
      if (best != "") print best, highest, most, all
    }'
}

# role HOST PORT: `master`, or `slave IP PORT STATE`; nothing without an answer.
role_of() {
  cli 1 "$1" "$2" role | awk '
    NR == 1 { role = $1 }
    NR > 1 && NR < 5 { rest = rest " " $1 }
    END { if (role == "master") print role; else if (role == "slave") print role rest }'
}

# info_value SECTION KEY HOST PORT
info_value() {
  cli 1 "$3" "$4" info "$1" | tr -d '\r' | awk -F : -v key="$2" '$1 == key { print $2 }'
}

# A server with at least one key.
has_keys() { cli 1 "$1" "$2" info keyspace | grep -q '^db[0-9]'; }

# Pairs of a nested reply (SENTINEL REPLICAS, SENTINEL SENTINELS): one line `IP PORT RUNID FLAGS` for each record.
records() {
  awk '
    function put() { if (value["ip"] != "") print value["ip"], value["port"], value["runid"], value["flags"] }
    NR % 2 { key = $0; next }
    key == "name" { put(); split("", value) }
    { value[key] = $0 }
    END { put() }'
}
