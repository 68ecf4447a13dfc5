#!/bin/sh
# Runs mosquitto with the accounts of Stowage, and takes over changes while it runs (SIGHUP).
#   start.sh CONFIGURATION SECRETS_FOLDER AGENTS_FOLDER ACCESS_FOLDER
# SECRETS_FOLDER has `mqtt_passwd` (the backend's account, made by deploy/make_secrets.py); the backend writes
# `agents.passwd` and `agents.acl` into AGENTS_FOLDER; ACCESS_FOLDER is where the configuration looks.
set -eu
configuration=$1 secrets=$2 agents=$3 access=$4
mkdir -p "$access"
umask 077

together() {
    { cat "$secrets/mqtt_passwd"; cat "$agents/agents.passwd" 2>/dev/null || true; } >"$access/passwd.new"
    { printf 'user stowage\ntopic readwrite stowage/#\n\n'; cat "$agents/agents.acl" 2>/dev/null || true; } >"$access/acl.new"
}

changed() {
    together
    if cmp -s "$access/passwd.new" "$access/passwd" && cmp -s "$access/acl.new" "$access/acl"; then return 1; fi
    mv "$access/passwd.new" "$access/passwd"
    mv "$access/acl.new" "$access/acl"
    # started as root, mosquitto steps down to this account and must still read its files
    if [ "$(id -u)" = 0 ] && id mosquitto >/dev/null 2>&1; then chown -R mosquitto "$access"; fi
}

changed || true
mosquitto -c "$configuration" &
broker=$!
trap 'kill -TERM $broker 2>/dev/null; wait $broker; exit 0' TERM INT
while kill -0 "$broker" 2>/dev/null; do
    sleep 1
    if changed; then kill -HUP "$broker"; fi
done
wait "$broker"
