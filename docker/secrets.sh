#!/bin/sh
# Makes the secret files that compose.yaml names, each once; what exists is left alone.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
secret() {
  [ -s "secrets/$1" ] || head -c 48 /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_' > "secrets/$1"
}
for name in secret_key pseudonym_key postgres_superuser postgres_owner postgres_app postgres_auditor; do
  secret "$name"
done
address() {
  [ -s "secrets/$3" ] ||
    printf 'postgresql://%s:%s@postgres:5432/hitl' "$1" "$(cat "secrets/$2")" > "secrets/$3"
}
address hitl_owner postgres_owner database_url_owner
address hitl_app postgres_app database_url_app
# Readable to the containers' users; the folder itself is not, to anyone else on this machine.
chmod 0444 secrets/*
chmod 0700 secrets
