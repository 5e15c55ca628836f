"""What the ledger does differently on each database: one module for each, with the same names."""

from __future__ import annotations

from types import ModuleType

from django.db.backends.base.base import BaseDatabaseWrapper


def of(connection: BaseDatabaseWrapper) -> ModuleType:
    from apps.audit.databases import postgresql, sqlite

    return {"postgresql": postgresql, "sqlite": sqlite}[connection.vendor]
