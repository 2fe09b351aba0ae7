# shellcheck shell=sh
# shellcheck disable=SC2154 # server, stale, priority, master_ip and master_port come from server.sh
# The helper beside a redis: keeps a waiting server quiet, gives reads back when it follows a master, and is the back-stop where no handlers run.
# It never makes its own server a master.

# A process that listens where nobody may be, and is stopped: the kernel accepts the waiting server's connection and nobody ever speaks, so the server
# waits for its repl-timeout instead of logging three lines a second. It can serve no data even if it ran: a random password, and no PSYNC command.
start_nobody() {
  [ -z "$nobody" ] || return 0
  secret=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '%s\n' "bind $HA_NOBODY_HOST" "port $HA_NOBODY_PORT" "requirepass ${secret:-$$$(now)}" 'rename-command PSYNC ""' 'rename-command SYNC ""' \
    'save ""' 'appendonly no' 'daemonize no' 'databases 1' 'maxmemory 1mb' 'loglevel warning' "dir $HA_HOME/redis" 'dbfilename nobody.rdb' |
    "$server" - >/dev/null 2>&1 &
  nobody=$!
  tries=0
  while [ $tries -lt 100 ] && kill -0 "$nobody" 2>/dev/null; do
    if nobody_answers; then break; fi
    tries=$((tries + 1))
    blink
  done
  kill -STOP "$nobody" 2>/dev/null
}

stop_nobody() {
  [ -n "$nobody" ] || return 0
  kill -KILL "$nobody" 2>/dev/null
  wait "$nobody" 2>/dev/null
  nobody=
}

# say TEXT: at once when it is new, else once a minute
say() {
  [ "$1" != "$said" ] || [ $(($(now) - said_at)) -ge 60 ] || return 0
  said=$1
  said_at=$(now)
  log "$1"
}

# settle TEXT: the server follows a master or is one; what was only for the waiting time ends.
settle() {
  if [ "$settled" = no ]; then
    settled=yes
    said=
    log "$1"
    stop_nobody
  fi
  if [ "$restored" = no ]; then
    [ "$(cli 2 "$HA_LOCAL" "$HA_PORT" config set replica-priority "$priority")" = OK ] || return 0
    [ "$stale" = no ] || [ "$(cli 2 "$HA_LOCAL" "$HA_PORT" config set replica-serve-stale-data "$stale")" = OK ] || return 0
    restored=yes
  fi
}

# The server reads all three files anew when it is given the path that it has; connections that stand stay as they are.
reload_certificate() {
  renewed || return 0
  reply=$(to_own 5 "$HA_PORT" config set tls-cert-file "$HA_TLS/tls.crt")
  if [ "$reply" = OK ]; then
    sealed=$seal
    log "took up the renewed certificate of $HA_TLS"
  elif [ -n "$reply" ]; then
    say "the renewed certificate is refused, the former one stays in use; the server's log says why: $reply"
  fi
}

# hold FACT: sets `held`, the seconds for which the same fact was seen without a break
hold() {
  if [ "$fact" != "$1" ]; then
    fact=$1
    fact_since=$(now)
  fi
  held=$(($(now) - fact_since))
}

# ask: the sentinels' word on who is master: named (`IP PORT`, or empty), agreeing, voters
ask() {
  answers=$(ask_sentinels)
  # shellcheck disable=SC2046 # five words
  set -- $(printf '%s\n' "$answers" | best_answer)
  named=${1:+$1 $2} epoch=${3:-0} agreeing=${4:-0} voters=${5:-0}
}

majority() { [ $((agreeing * 2)) -gt "$voters" ]; }

# Points our server to a master that a majority of the sentinels has named for 3 s, and that says so itself. The handlers or Sentinel are nearly always faster.
attach() {
  hold "named $named"
  [ "$held" -ge 3 ] && majority || return 0
  # shellcheck disable=SC2086 # address and port
  [ "$(role_of $named)" = master ] || return 0
  log "attaching to ${named% *}:${named#* }, which $agreeing of $voters sentinels name as the master of $HA_NAME"
  # shellcheck disable=SC2086
  cli 2 "$HA_LOCAL" "$HA_PORT" replicaof $named >/dev/null
  fact=
}

# Every living replica has data, or nobody in the whole group has: only then can a failover not put an empty server over one with data.
failover_is_safe() {
  with=0 without=0 absent=0
  while read -r ip port _ flags; do
    [ -n "$ip" ] || continue
    case $flags in
    *s_down* | *disconnected*) absent=$((absent + 1)) ;;
    *) if has_keys "$ip" "$port"; then with=$((with + 1)); else without=$((without + 1)); fi ;;
    esac
  done <<END
$(cli 2 "$1" "$HA_SENTINEL_PORT" sentinel replicas "$HA_NAME" | records)
END
  if [ $with -gt 0 ]; then
    [ $without -eq 0 ]
  else
    [ $without -gt 0 ] && [ $absent -eq 0 ] && ! has_keys "$HA_LOCAL" "$HA_PORT"
  fi
}

# This pod restarted while the sentinels name it. Sentinel alone would need 30 s or for ever (facts: promotion, 2f), so after down-after one sentinel is
# asked for a failover; the handlers, where they run, have acted long before.
ask_failover() {
  hold "own"
  [ $((held * 1000)) -ge "${REDIS_HA_DOWN_AFTER_MS:-5000}" ] || return 0
  [ $(($(now) - failover_asked)) -ge $((${REDIS_HA_DOWN_AFTER_MS:-5000} / 500 + 1)) ] || return 0
  ask
  [ "$named" = "$HA_POD_IP $HA_PORT" ] && majority || return 0
  failover_asked=$(now)
  # another pod's sentinel of the newest word, if there is one
  sentinel=$(printf '%s\n' "$answers" | awk -v epoch="$epoch" -v own="$HA_LOCAL" '$1 == epoch { if ($5 != own) { print $5; found = 1; exit } else last = $5 } END { if (!found) print last }')
  if ! failover_is_safe "$sentinel"; then
    say "waiting: the sentinels name this restarted pod as the master of $HA_NAME, and no replica is surely the one with the data: not asking for a failover"
    return 0
  fi
  # All that took a while. Sentinel's own election may be on, or won: its new master must not be failed over once more.
  if failover_is_on; then return 0; fi
  case $(ask_sentinel "$sentinel") in
  "$epoch $HA_POD_IP $HA_PORT "*) ;;
  *) return 0 ;;
  esac
  reply=$(cli 2 "$sentinel" "$HA_SENTINEL_PORT" sentinel failover "$HA_NAME")
  log "asked the sentinel $sentinel for a failover of $HA_NAME, as this restarted pod was still named its master after $held s: ${reply:-no answer}"
}

watch_server() {
  main=$1
  nobody='' said='' said_at=0 settled=no restored=no fact='' fact_since=0 failover_asked=0 rounds=0
  [ "$master_ip $master_port" != "$HA_NOBODY_HOST $HA_NOBODY_PORT" ] || start_nobody
  : >"$HA_HOME/redis/watched"
  if [ -z "$HA_CLI" ]; then
    log "the image has neither redis-cli nor valkey-cli: only the handlers watch this server"
    return 0
  fi
  while kill -0 "$main" 2>/dev/null; do
    look
    reload_certificate
    if [ $settled = yes ]; then
      rounds=0
      sleep 10
    else
      rounds=$((rounds + 1))
      if [ $rounds -lt 120 ]; then sleep 1; else sleep 3; fi
    fi
  done
  stop_nobody
}

look() {
  # shellcheck disable=SC2046 # up to four words
  set -- $(role_of "$HA_LOCAL" "$HA_PORT")
  case "${1:-} ${2:-} ${3:-} ${4:-}" in
  '   ') ;; # not up yet, or too busy to answer
  master*) settle "this server is the master of $HA_NAME" ;;
  "slave $HA_NOBODY_HOST $HA_NOBODY_PORT "*)
    # Also after it has executed itself again.
    settled=no restored=no
    start_nobody
    ask
    case $named in
    '')
      fact=
      say "waiting: no sentinel names a master for $HA_NAME ($(printf '%s' "$answers" | grep -c .) answered); reads and writes are refused until there is one"
      ;;
    "$HA_POD_IP $HA_PORT")
      say "waiting: the sentinels name this restarted pod as the master of $HA_NAME; reads and writes are refused until a failover or the handlers decide"
      ask_failover
      ;;
    *)
      say "waiting: the sentinels name ${named% *}:${named#* } as the master of $HA_NAME; following it once it answers as one"
      attach
      ;;
    esac
    ;;
  *" connected") settle "this server follows $2:$3, the master of $HA_NAME" ;;
  *" sync")
    settled=no fact=
    say "copying the data of $2:$3, the master of $HA_NAME"
    ;;
  *)
    settled=no
    ask
    case $named in
    '' | "$2 $3" | "$HA_POD_IP $HA_PORT")
      fact=
      say "waiting for the link to $2:$3, the master of $HA_NAME"
      ;;
    *)
      say "no link to $2:$3, and the sentinels name ${named% *}:${named#* } as the master of $HA_NAME"
      attach
      ;;
    esac
    ;;
  esac
}
