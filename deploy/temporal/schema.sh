#!/bin/sh
# Makes Temporal's two databases and brings their schema to the version of the
# image it runs in. Safe to run again, and needed after every upgrade, before
# the new server starts. SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and
# SQL_PASSWORD say where.
set -eu

schema() {
  temporal-sql-tool --database "$1" create-database --defaultdb postgres
  temporal-sql-tool --database "$1" setup-schema --version 0.0
  temporal-sql-tool --database "$1" update-schema --schema-name "$2"
}

schema temporal postgresql/v12/temporal
schema temporal_visibility postgresql/v12/visibility
