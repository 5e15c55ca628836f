#!/bin/sh
# Runs once, when PostgreSQL makes its data folder: three roles, and a database that the first owns.
set -eu
password() { tr -d '\n' < "/run/secrets/$1"; }
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set owner="$(password postgres_owner)" \
  --set app="$(password postgres_app)" \
  --set auditor="$(password postgres_auditor)" <<'SQL'
CREATE ROLE hitl_owner LOGIN PASSWORD :'owner';
CREATE ROLE hitl_app LOGIN PASSWORD :'app';
CREATE ROLE hitl_auditor LOGIN PASSWORD :'auditor';
CREATE DATABASE hitl OWNER hitl_owner;
REVOKE ALL ON DATABASE hitl FROM PUBLIC;
GRANT CONNECT ON DATABASE hitl TO hitl_app, hitl_auditor;
\connect hitl
ALTER SCHEMA public OWNER TO hitl_owner;
SQL
