#!/bin/bash
# Entrypoint of the stand-in for the official postgres image (see images.sh).
# It honors POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, and like the
# official image it says "database system is ready to accept connections" twice
# on a first start: once while the database is made, with no port open, and
# once when it can be used.
set -euo pipefail

if [[ ${1:-} != postgres ]]; then
  exec "$@"
fi

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

if [[ $(id -u) == 0 ]]; then
  install -d -o postgres -g postgres -m 0700 "$PGDATA"
  install -d -o postgres -g postgres -m 2775 /var/run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH" "$0" "$@"
fi

if [[ ! -s $PGDATA/PG_VERSION ]]; then
  : "${POSTGRES_PASSWORD:?must be set}"
  initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl --wait --options="-c listen_addresses=''" start
  if [[ $database != postgres ]]; then
    createdb --username="$user" --maintenance-db=postgres -- "$database"
  fi
  pg_ctl --wait --mode=fast stop
fi

exec "$@" -c listen_addresses='*'
