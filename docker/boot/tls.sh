# shellcheck shell=sh
# TLS: the lines of a server's or a sentinel's configuration, whom it trusts, and how a renewed certificate is noticed.
# The kubelet exchanges the files in $HA_TLS all at once, some time after the Secret has changed; not at the same moment in every pod.

HA_OWN=$HA_HOME/${HA_PART:-redis}

# The port of a server, and of nothing else: with TLS there is none without.
port_lines() {
  if [ -z "$HA_TLS" ]; then
    echo "port $1"
    return 0
  fi
  echo "port 0"
  echo "tls-port $1"
  echo "tls-cert-file $HA_TLS/tls.crt"
  echo "tls-key-file $HA_TLS/tls.key"
  echo "tls-ca-cert-file $HA_OWN/ca.crt"
  echo "tls-auth-clients ${2:-no}"
  echo "tls-replication yes"
}

# Before the first start: what is missing is said here, in our words.
check_tls() {
  [ -n "$HA_TLS" ] || return 0
  for needed in tls.crt tls.key ca.crt; do
    [ -r "$HA_TLS/$needed" ] || die "cannot read $HA_TLS/$needed as user $(id -u): does the Secret of the annotation redis-ha.io/tls have the key $needed?"
  done
  [ -z "$HA_CLI" ] || "$HA_CLI" --tls --version >/dev/null 2>&1 ||
    die "$HA_CLI cannot speak TLS: take an image whose server and command line tool are built with it (the official ones are), or remove the annotation redis-ha.io/tls"
  [ -n "$HA_CLI" ] || log "error: the image has neither redis-cli nor valkey-cli: a renewed certificate is taken up by the next start only"
}

# The former CA is still fresh: half an hour, longer than any pod needs to get the new files and any sentinel to be started again with them.
former_is_fresh() { [ -n "$(find "$HA_OWN/ca.former" -mmin -30 2>/dev/null)" ]; }

# Writes $HA_OWN/ca.crt: the CA of the Secret, and after a change of it the former one for a while, else pods that have the new files and pods that do not
# would refuse each other.
trust() {
  if [ "$(cat "$HA_TLS/ca.crt")" != "$(cat "$HA_OWN/ca.now" 2>/dev/null)" ]; then
    if [ -f "$HA_OWN/ca.now" ]; then
      mv -f "$HA_OWN/ca.now" "$HA_OWN/ca.former"
      touch "$HA_OWN/ca.former"
    fi
    cat "$HA_TLS/ca.crt" >"$HA_OWN/ca.now"
  fi
  {
    cat "$HA_OWN/ca.now"
    echo
    if former_is_fresh; then cat "$HA_OWN/ca.former"; fi
  } >"$HA_OWN/ca.draft" && chmod 0644 "$HA_OWN/ca.draft" && mv -f "$HA_OWN/ca.draft" "$HA_OWN/ca.crt"
}

# What a server that starts now would take up.
tls_seal() { cat "$HA_TLS/tls.crt" "$HA_TLS/tls.key" "$HA_OWN/ca.crt" 2>/dev/null | sha1sum; }

# begin_tls: before the server starts; `sealed` is what it will have read
begin_tls() {
  [ -n "$HA_TLS" ] || return 0
  check_tls
  trust || die "cannot write $HA_OWN/ca.crt as user $(id -u)"
  use_tls
  sealed=$(tls_seal)
}

# to_own SECONDS PORT COMMAND…: to the server of this very pod. One whose certificate has ended is believed by nobody, and only this call can give it the new
# one: so where it does not answer it is asked once more without a check. Nobody else can be reached so: the connection never leaves the pod.
to_own() {
  own_seconds=$1 own_port=$2
  shift 2
  own_reply=$(cli "$own_seconds" "$HA_LOCAL" "$own_port" "$@")
  [ -n "$own_reply" ] || own_reply=$(HA_CLI_TLS="$HA_CLI_TLS --insecure" && cli "$own_seconds" "$HA_LOCAL" "$own_port" "$@")
  printf '%s' "$own_reply"
}

# renewed: the files have changed since `sealed`; sets `seal`
renewed() {
  [ -n "$HA_TLS" ] && trust || return 1
  seal=$(tls_seal)
  [ "$seal" != "$sealed" ]
}
