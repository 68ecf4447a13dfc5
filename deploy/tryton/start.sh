#!/bin/sh
# Tryton for docker-compose: makes its database at the first start (company, warehouse, the demo's products), then serves.
#   start.sh DATA_FOLDER SECRETS_FOLDER FIXTURES CATALOG [LISTEN]
set -eu
data=$1 secrets=$2 fixtures=$3 catalog=$4 listen=${5:-0.0.0.0:8000}
umask 077
mkdir -p "$data"
configuration=$data/trytond.conf
printf '[database]\nuri = sqlite://\npath = %s\nlist = True\n[web]\nlisten = %s\n[session]\nmax_attempt = 50\n' \
    "$data" "$listen" >"$configuration"
if [ ! -e "$data/complete" ]; then
    rm -f "$data/tryton.sqlite"
    : >"$data/tryton.sqlite"
    TRYTONPASSFILE=$secrets/erp_password
    export TRYTONPASSFILE
    echo "making the ERP database"
    trytond-admin -c "$configuration" -d tryton --all --email stowage@localhost
    trytond-admin -c "$configuration" -d tryton -u stock purchase sale stock_lot --activate-dependencies
    python "$fixtures" "$configuration" tryton "$catalog" "$(cat "$secrets/erp_password")"
    touch "$data/complete"
fi
exec trytond -c "$configuration" -d tryton
