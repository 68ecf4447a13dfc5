#!/bin/sh
# Starts a program of Stowage in its container: the URLs are made of the secrets, unless they are given.
set -eu
secrets=${SECRETS_DIR:-/run/stowage}
if [ -r "$secrets/db_password" ]; then
    export STOWAGE_DATABASE_URL="${STOWAGE_DATABASE_URL:-postgresql://stowage:$(cat "$secrets/db_password")@timescaledb:5432/stowage}"
    export STOWAGE_MQTT_URL="${STOWAGE_MQTT_URL:-mqtt://stowage:$(cat "$secrets/mqtt_password")@mosquitto:1883}"
    export STOWAGE_ERP_URL="${STOWAGE_ERP_URL:-tryton+http://stowage:$(cat "$secrets/erp_password")@tryton:8000/tryton}"
fi
exec "$@"
