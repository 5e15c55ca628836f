"""System checks: what must hold for the trail to hold. ``manage.py check --database default``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, register
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from apps.audit import triggers
from apps.audit.record_schemas import schema_book
from apps.audit.records import RESERVED
from apps.audit.sources import UnsupportedColumn, sources
from apps.common.models import TRACKED, TrackedModel

SECRETS = {("person", "password")}
PUT_BACK = "find out who took it away, then: manage.py migrate --skip-checks"


@register(Tags.models)
def tracked_models_can_be_recorded(**kwargs: Any) -> list[Error]:
    """No field on a tracked model whose value history could miss or get wrong."""
    found = []
    if not settings.SIMPLE_HISTORY_ENABLED:
        found.append(
            Error("SIMPLE_HISTORY_ENABLED is off: nothing would be recorded", id="audit.E001")
        )
    for model in TRACKED:
        for fault in _faults_of(model):
            found.append(Error(f"{model.__name__}: {fault}", obj=model, id="audit.E002"))
    return found


def _faults_of(model: type[TrackedModel]) -> Iterator[str]:
    if not hasattr(model._meta, "simple_history_manager_attribute"):
        yield "has no history"
        return
    if model._meta.local_many_to_many:
        yield "has a many-to-many field: use a tracked model of its own for the relation"
    for name in model._history().secret_fields:
        if (model.record_type, name) not in SECRETS:
            yield f"keeps {name!r} out of its history"
    for field in model._meta.concrete_fields:
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            yield f"{field.name}: auto_now sets the value after it was recorded"
        if field.has_db_default() or isinstance(field, models.GeneratedField):
            yield f"{field.name}: the database sets a value that history cannot hold"
        if field.remote_field is not None and field.remote_field.on_delete is not models.PROTECT:
            yield f"{field.name}: on_delete must be PROTECT, a cascade would delete unrecorded"


@register(Tags.database)
def schemas_describe_the_models(databases: Any = None, **kwargs: Any) -> list[Error]:
    """Each source has its columns in its newest frozen schema.

    With the database checks, since makemigrations must run before the schema can be frozen.
    """
    found: list[Error] = []
    if not databases:
        return found
    for source in sources().values():
        try:
            columns = source.columns
        except UnsupportedColumn as error:
            found.append(Error(str(error), id="audit.E003"))
            continue
        if columns.keys() & set(RESERVED):
            message = f"record type {source.type!r}: {RESERVED} are words of the record itself"
            found.append(Error(message, id="audit.E003"))
        newest = schema_book().newest(source.type)
        if newest is None or dict(newest.fields) != columns:
            message = f"record type {source.type!r}: no frozen schema fits the model"
            found.append(Error(message, hint="run manage.py freeze_schemas", id="audit.E004"))
    return found


@register(Tags.database)
def triggers_are_in_place(databases: Any = None, **kwargs: Any) -> list[Error]:
    """Every guarding trigger stands, switched on and unaltered."""
    found = []
    for alias in databases or ():
        connection = connections[alias]
        if _is_to_be_migrated(connection):
            continue  # migrate installs them, and would be kept from it
        for table, fault in triggers.faults(connection):
            found.append(Error(f"{table}: {fault}", hint=PUT_BACK, id="audit.E005"))
    return found


def _is_to_be_migrated(connection: BaseDatabaseWrapper) -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
