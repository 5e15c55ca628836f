#!/bin/sh
# A secret may come as a file: NAME_FILE names the file whose content becomes NAME.
set -eu
for name in SECRET_KEY PSEUDONYM_KEY DATABASE_URL CACHE_URL CELERY_BROKER_URL; do
  eval "file=\${${name}_FILE:-}"
  if [ -n "$file" ]; then
    value="$(cat "$file")"
    export "$name=$value"
    unset "${name}_FILE"
  fi
done
exec "$@"
