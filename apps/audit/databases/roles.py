"""The three PostgreSQL roles: owner (migrates), app (runs), auditor (reads). SQL for the grants."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps

from apps.audit.triggers import protected_tables

# Columns that an auditor has no use for and must not see.
SECRET_COLUMNS = {"accounts_user": ["password"]}
SECRET_TABLES = {"django_session", "mfa_authenticator", "usersessions_usersession"}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _grant_temporary(app: str) -> str:
    """Decisions in bulk come in through a temporary table; the public may be denied them."""
    grant = "format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), {name})"
    name = "'" + app.replace("'", "''") + "'"
    return f"DO $do$ BEGIN EXECUTE {grant.format(name=name)}; END $do$"


def grant_statements(app: str, auditor: str) -> Iterator[str]:
    """Statements that give the roles ``app`` and ``auditor`` their rights, run by the owner.

    The app inserts into history and ledger tables and never changes them; only the pending list
    may lose rows, by the sealer. TRUNCATE, triggers and table definitions stay with the owner.
    """
    app_role, auditor_role = _quoted(app), _quoted(auditor)
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    yield f"GRANT USAGE ON SCHEMA public TO {app_role}, {auditor_role}"
    yield _grant_temporary(app)
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {app_role}, {auditor_role}"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app_role}"
    yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {app_role}"
    for table in protected_tables():
        yield f"REVOKE UPDATE, DELETE ON {_quoted(table)} FROM {app_role}"
    yield f"REVOKE UPDATE ON audit_pendingrecord FROM {app_role}"
    for model in apps.get_models(include_auto_created=True):
        table = model._meta.db_table
        if table in SECRET_TABLES or not model._meta.managed:
            continue
        secret = SECRET_COLUMNS.get(table, [])
        columns = [str(f.column) for f in model._meta.concrete_fields if f.column not in secret]
        what = f"SELECT ({', '.join(map(_quoted, columns))})" if secret else "SELECT"
        yield f"GRANT {what} ON {_quoted(table)} TO {auditor_role}"
