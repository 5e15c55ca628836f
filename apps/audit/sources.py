"""The tables whose rows are records: history tables, and append-only rows that are sealed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import models

from apps.common.fields import ExactDecimalField
from apps.common.models import APPEND_ONLY, TRACKED, TrackedModel

# How a column's value is written in a record. Frozen: an old leaf is re-read by these words.
KINDS: tuple[tuple[type[models.Field[Any, Any]], str], ...] = (
    (ExactDecimalField, "decimal4"),
    (models.BooleanField, "bool"),
    (models.UUIDField, "uuid"),
    (models.DateTimeField, "time"),
    (models.DateField, "date"),
    (models.FloatField, "float"),
    (models.BinaryField, "bytes"),
    (models.IntegerField, "int"),
    (models.AutoField, "int"),
    (models.CharField, "text"),
    (models.TextField, "text"),
)


# Named here, since Source has a field called `type`.
ModelClass = type[models.Model]
TrackedClass = type[TrackedModel]


class UnsupportedColumn(TypeError):
    """A tracked model has a column that no record can carry."""


def kind_of(field: models.Field[Any, Any]) -> str:
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    for cls, kind in KINDS:
        if isinstance(field, cls):
            return kind
    raise UnsupportedColumn(f"{field}: a record cannot carry a {type(field).__name__}")


@dataclass(frozen=True, slots=True)
class Source:
    """One record type: its table and the columns that every record has in some form."""

    type: str
    table: str
    key: str
    time: str
    actor: str
    use_case: str | None
    model: ModelClass
    live: TrackedClass | None

    @property
    def columns(self) -> dict[str, str]:
        """Column name -> kind, as the model stands now, in the model's order."""
        return {str(f.column): kind_of(f) for f in self.model._meta.concrete_fields}


def _sources() -> Iterator[Source]:
    for live in TRACKED:
        history = live._history_model()
        yield Source(
            type=live.record_type,
            table=history._meta.db_table,
            key="history_id",
            time="history_date",
            actor="history_user_id",
            use_case=live.record_use_case,
            model=history,
            live=live,
        )
    for model in APPEND_ONLY:
        if model.sealed:
            has_actor = any(f.column == "actor_id" for f in model._meta.concrete_fields)
            yield Source(
                type=model.record_type,
                table=model._meta.db_table,
                key=str(model._meta.pk.column),
                time=model.record_time,
                actor="actor_id" if has_actor else "",
                use_case=model.record_use_case,
                model=model,
                live=None,
            )


@cache
def sources() -> dict[str, Source]:
    """All record types by name. Complete once Django's models are loaded."""
    found: dict[str, Source] = {}
    for source in _sources():
        if source.type in found:
            raise UnsupportedColumn(f"two models have the record type {source.type!r}")
        found[source.type] = source
    return found
