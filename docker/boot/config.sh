# shellcheck shell=sh
# shellcheck disable=SC2154 # user_settings, priority, first and report come from server.sh
# The configuration of a redis: the user's file, standard input and command line options as the server itself would read them, then our lines.

# options_to_lines ARGUMENT…: command line options as configuration lines, by the rules of redis 7's main(): `--name` begins a line if the line before
# has a value, everything else is a value. Prints nothing for a lone `-` (standard input), which the caller has taken out.
options_to_lines() {
  complete=yes begun=no
  while [ $# -gt 0 ]; do
    case $complete$1 in
    yes--*)
      [ $begun = no ] || echo
      begun=yes
      printf '%s ' "${1#--}"
      if [ "$(words "$1")" -eq 1 ]; then
        complete=no
        case $1 in
        --[sS][aA][vV][eE])
          # `--save` without a value means no snapshots
          case ${2---} in --*) printf '""' && complete=yes ;; esac
          ;;
        esac
      fi
      ;;
    *)
      begun=yes
      complete=yes
      printf '%s ' "$(quote "$1")"
      ;;
    esac
    shift
  done
  [ $begun = no ] || echo
}

words() {
  (
    set -f
    # shellcheck disable=SC2086 # splitting is the point
    set -- $1
    echo $#
  )
}

# flatten FILE [DEPTH]: the lines that say something, with those of included files in their place.
flatten() {
  sed -n '/^[[:space:]]*[^#[:space:]]/p' "$1" 2>/dev/null | while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    *[iI][nN][cC][lL][uU][dD][eE]*)
      pattern=$(printf '%s\n' "$line" | sed -nE "s/^[[:space:]]*[\"']?[iI][nN][cC][lL][uU][dD][eE][\"']?[[:space:]]+[\"']?([^\"']*[^\"'[:space:]])[\"']?[[:space:]]*\$/\1/p")
      if [ -n "$pattern" ]; then
        [ "${2:-0}" -lt 8 ] || continue
        (
          IFS=''
          for file in $pattern; do flatten "$file" $((${2:-0} + 1)); done
        )
        continue
      fi
      ;;
    esac
    printf '%s\n' "$line"
  done
}

# settings FILE: one line `key value` for each directive's last use; keys in lower case, the old name slave- as replica-, values without quotes.
settings() {
  flatten "$1" | LC_ALL=C awk '
    function unquote(s,   out, i, c) {
      c = substr(s, 1, 1)
      if (c != "\"" && c != "\047") { sub(/[ \t\r].*$/, "", s); return s }
      for (i = 2; i <= length(s); i++) {
        if (substr(s, i, 1) == c) break
        if (substr(s, i, 1) == "\\") { i++; if (c == "\047" && substr(s, i, 1) != c) out = out "\\" }
        out = out substr(s, i, 1)
      }
      return out
    }
    {
      sub(/^[ \t\r]+/, "")
      key = $0
      rest = $0
      if (key ~ /^["\047]/) { key = unquote(key); sub(/^(["][^"]*["]|[\047][^\047]*[\047])[ \t]*/, "", rest) }
      else { sub(/[ \t\r].*$/, "", key); sub(/^[^ \t\r]+[ \t]*/, "", rest) }
      key = tolower(key)
      if (key == "slaveof") key = "replicaof"
      sub(/^slave-/, "replica-", key)
      if (key == "rename-command" || key == "user") key = key ":" tolower(unquote(rest))
      value[key] = unquote(rest)
    }
    END { for (key in value) print key, value[key] }'
}

# setting KEY [DEFAULT]: sets `value` from $user_settings, the lines of `settings`; without a new process, as it is asked many times
setting() {
  case "
$user_settings" in
  *"
$1 "*)
    value="
$user_settings"
    value=${value#*"
$1 "}
    value=${value%%"
"*}
    ;;
  *) value=${2:-} ;;
  esac
}

# file_times FILE…: `MILLISECONDS:BYTES`: the newest change and the size of all; 0:0 where there is none
file_times() {
  files=
  for file in "$@"; do
    [ ! -f "$file" ] || files=yes
  done
  if [ -z "$files" ]; then
    printf 0:0
    return 0
  fi
  for file in "$@"; do
    [ ! -f "$file" ] || stat -c '%Y %s %y' "$file"
  done 2>/dev/null | awk '
    {
      fraction = $0
      if (!sub(/^.*:[0-9][0-9]\./, "", fraction)) fraction = ""
      time = $1 substr(substr(fraction, 1, 3) "000", 1, 3)
      if (time + 0 > newest + 0) newest = time
      bytes += $2
    }
    END { printf "%s:%.0f", newest == "" ? 0 : newest, bytes }'
}

# The boot report (model/boot-report.ts): what was on the disk before the server touched it.
boot_report() {
  setting dir .
  dir=$value
  setting dbfilename dump.rdb
  rdb=$dir/$value
  setting appenddirname appendonlydir
  aof_dir=$dir/$value
  setting appendfilename appendonly.aof
  aof=$value
  setting replica-serve-stale-data yes
  stale=$(yes_or_no "$value")
  setting appendonly no
  printf 'redis-ha uid=%s boot=%s000 rdb=%s aof=%s stale=%s aof-on=%s' "${REDIS_HA_POD_UID:-unknown}" "$(now)" "$(file_times "$rdb")" \
    "$(file_times "$dir/$aof" "$aof_dir/$aof".*)" "$stale" "$(yes_or_no "$value")"
}

yes_or_no() {
  case $1 in
  [yY][eE][sS]) printf yes ;;
  *) printf no ;;
  esac
}

# What the user wrote and we cannot keep: said once per start, never silently.
explain_overrides() {
  setting cluster-enabled no
  [ "$(yes_or_no "$value")" = no ] ||
    die "refused: the configuration has 'cluster-enabled yes'; redis-ha makes groups of one master and its replicas, not Redis Cluster"
  directive=port
  [ -z "$HA_TLS" ] || directive=tls-port
  setting $directive "$HA_PORT"
  [ "$value" = "$HA_PORT" ] ||
    log "error: the configuration says '$directive $value' but this group uses port $HA_PORT: listening on $HA_PORT; set the annotation redis-ha.io/port to $value"
  setting tls-cert-file
  [ -z "$HA_TLS" ] || [ -z "$value" ] || log "the configuration's certificate $value is replaced by that of the annotation redis-ha.io/tls"
  setting tls-port 0
  [ -n "$HA_TLS" ] || [ "$value" = 0 ] ||
    log "error: the configuration says 'tls-port $value', but the group, its replicas and sentinels speak without TLS; put the certificate into a Secret and set the annotation redis-ha.io/tls"
  setting replicaof
  [ -z "$value" ] || log "the configuration's replicaof is not used: the master is found through the sentinels"
  setting bind
  [ -z "$value" ] || log "the configuration's 'bind $value …' is replaced by 'bind $HA_BIND': other pods must reach this server"
  setting requirepass
  if [ -z "${REDIS_HA_PASSWORD:-}" ]; then
    [ -z "$value" ] ||
      log "error: the configuration has a requirepass but this group has auth: none, so nobody can replicate from here; put it into a Secret and set the annotation redis-ha.io/auth to secret:NAME/KEY"
  else
    [ -z "$value" ] || [ "$value" = "$REDIS_HA_PASSWORD" ] ||
      log "the configuration's requirepass is replaced by the group's password (annotation redis-ha.io/auth)"
    setting aclfile
    file=$value
    setting user:default
    [ -z "$file$value" ] ||
      log "the configuration sets users of its own: its user 'default' must accept the group's password, by which Sentinel, the replicas and redis-ha log in"
  fi
  for command in config replicaof slaveof info role psync replconf client publish subscribe ping multi exec; do
    case $user_settings in
    *"rename-command:$command "*) log "error: the configuration renames the command $command, which Sentinel and redis-ha need" ;;
    esac
  done
}

# our_lines: what wins over the user's configuration, whatever it says; the last line of a kind counts.
our_lines() {
  echo
  echo "# redis-ha: from here on what this group needs; it is written anew at every start"
  # Whether clients need certificates of their own is the user's choice.
  setting tls-auth-clients no
  port_lines "$HA_PORT" "$value"
  echo "bind $HA_BIND"
  echo "protected-mode no"
  echo "daemonize no"
  echo "supervised no"
  if [ -n "${REDIS_HA_PASSWORD:-}" ]; then
    password=$(quote "$REDIS_HA_PASSWORD")
    line "requirepass $password"
    line "masterauth $password"
    echo 'masteruser ""'
  fi
  if [ -n "$HA_POD_IP" ]; then
    echo "replica-announce-ip $HA_POD_IP"
    echo "replica-announce-port $HA_PORT"
  fi
  echo "replica-read-only yes"
  [ -z "${REDIS_HA_MIN_REPLICAS_TO_WRITE:-}" ] || echo "min-replicas-to-write $REDIS_HA_MIN_REPLICAS_TO_WRITE"
  [ -z "${REDIS_HA_MIN_REPLICAS_MAX_LAG:-}" ] || echo "min-replicas-max-lag $REDIS_HA_MIN_REPLICAS_MAX_LAG"
  # Replicas come together after a failover: no need to wait 5 s for more of them.
  setting repl-diskless-sync-delay
  [ -n "$value" ] || echo "repl-diskless-sync-delay 1"
  line "syslog-ident $(quote "$report")"
  line "include $(quote "$first")"
}

# first_lines IP PORT: as what it begins. In a file of its own, because CONFIG REWRITE, which Sentinel sends in every failover, takes the replicaof out of a
# master's own file but leaves an include alone: so a server that executes itself again with that file (DEBUG RESTART) is no master either.
first_lines() {
  echo "replica-serve-stale-data no"
  # Until it has followed a master nobody knows whether its data is the newest: Sentinel, which can't tell, shall not elect it.
  [ -z "$priority" ] || echo "replica-priority 0"
  echo "replicaof $1 $2"
}
