"""The bulk writer: many rows at once, each with its history row, in the caller's transaction.

Tracked rows go in history first and live second, so that the guard triggers see them recorded.
One module per database holds the SQL; the rows are the same that ``save`` would write.

Values come as Python has them: UUID, aware datetime, bool, int, float, str, bytes, None; exact
decimals as scaled integers, JSON fields as their stored text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from itertools import islice
from types import ModuleType
from typing import Any, NamedTuple

from django.db import connection, models

from apps.audit.sources import kind_of
from apps.common.actor import Actor, require_actor
from apps.common.columns import one_trip
from apps.common.errors import UnrecordedWrite
from apps.common.models import TrackedModel

Rows = Sequence[tuple[Any, ...]]
FEW = 8  # below this, plain inserts cost fewer round trips than a COPY


class MadeRows(Sequence[tuple[Any, ...]]):
    """Rows that are made when they are written: some of them while the server writes others."""

    def __init__(self, keys: Sequence[int], make: Callable[[int], tuple[Any, ...]]) -> None:
        self._keys, self._make = keys, make

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, at: Any) -> Any:
        keys = self._keys[at]
        return [*map(self._make, keys)] if isinstance(at, slice) else self._make(keys)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return map(self._make, self._keys)


class Plan:
    """Which columns are written: the same for every row (``constants``), or row by row.

    ``recorded``: those of them that the history table has too (a secret has no history).
    """

    def __init__(
        self, model: type[models.Model], constants: Mapping[str, Any], varying: Sequence[str]
    ) -> None:
        table = _table(model)
        given = {*constants, *varying}
        unknown = given - table.fields.keys()
        if unknown:
            raise UnrecordedWrite(f"{model.__name__} has no columns {sorted(unknown)}")
        self.table, self.history = table.name, table.history
        self.varying = list(varying)
        self.constants = {**_defaults(table.fields, given), **constants}
        self.columns = [*self.varying, *self.constants]
        self.kinds = {column: table.kinds[column] for column in self.columns}
        self.recorded = [column for column in self.columns if column not in table.secrets]


class _Table(NamedTuple):
    """What is the same at each write. ``secrets``: columns that the history leaves out."""

    name: str
    history: str
    fields: dict[str, models.Field[Any, Any]]
    kinds: dict[str, str]
    secrets: frozenset[str]


@lru_cache(maxsize=256)
def _table(model: type[models.Model]) -> _Table:
    fields = {str(f.column): f for f in model._meta.concrete_fields}
    kinds = {column: kind_of(field) for column, field in fields.items()}
    name = model._meta.db_table
    if not issubclass(model, TrackedModel):
        return _Table(name, "", fields, kinds, frozenset())
    history = model._history_model()._meta
    secrets = frozenset(fields) - {f.column for f in history.concrete_fields}
    return _Table(name, history.db_table, fields, kinds, secrets)


def _defaults(fields: Mapping[str, models.Field[Any, Any]], given: set[str]) -> dict[str, Any]:
    """What ``save`` would put into the columns that are not named; automatic keys stay out."""
    return {
        column: field.get_db_prep_save(field.get_default(), connection)
        for column, field in fields.items()
        if column not in given and not isinstance(field, models.AutoField)
    }


def _database() -> ModuleType:
    from apps.decisions.bulk import postgresql, sqlite

    return {"postgresql": postgresql, "sqlite": sqlite}[connection.vendor]


@contextmanager
def inserted_together(count: int) -> Iterator[None]:
    """Inserts of ``count`` rows each; few go in one trip to the database, as none is copied."""
    with one_trip() if count < FEW else nullcontext():
        yield


def insert_rows(
    model: type[models.Model], constants: Mapping[str, Any], varying: Sequence[str], rows: Rows
) -> None:
    """Insert rows of a table that has no history (append-only, outbox, counters)."""
    insert_prepared(prepared_rows(model, constants, varying, rows))


class Prepared(NamedTuple):
    """Rows in the form in which they are sent; ``sent`` is the database's own."""

    plan: Plan
    sent: Any


def prepared_rows(
    model: type[models.Model], constants: Mapping[str, Any], varying: Sequence[str], rows: Rows
) -> Prepared:
    """What ``insert_prepared`` takes: all of the work on rows that needs no database."""
    if issubclass(model, TrackedModel):
        raise UnrecordedWrite(f"{model.__name__} is tracked: use insert_tracked")
    plan = Plan(model, constants, varying)
    return Prepared(plan, _database().prepared(plan, rows) if rows else None)


def insert_prepared(prepared: Prepared) -> None:
    if prepared.sent is not None:
        with connection.cursor() as cursor:
            _database().insert_rows(cursor, *prepared)


def go_through(work: Iterator[None], steps: int | None = None) -> None:
    """The next steps of some work, or all that are left."""
    for _ in islice(work, steps):
        pass


def insert_tracked(
    model: type[TrackedModel],
    constants: Mapping[str, Any],
    varying: Sequence[str],
    rows: Rows,
    *,
    actor: Actor,
    reason: str = "",
    meanwhile: Iterator[None] = iter(()),  # noqa: B008 - nothing to do, however often
) -> None:
    """Insert new rows of a tracked model, each with its ``+`` history row under ``actor``.

    ``meanwhile`` is work in steps, gone through to its end; where the database allows it, while
    the rows are being written: it must not use the database.
    """
    require_actor(actor)
    if not connection.in_atomic_block:
        raise UnrecordedWrite("the bulk writer needs a transaction: history and rows, or neither")
    if not rows:
        go_through(meanwhile)
        return
    plan = Plan(model, constants, varying)
    recorded = {
        "history_type": "+",
        "history_user_id": actor.id,
        "history_user_kind": actor.kind,
        "history_user_name": actor.name,
        "history_change_reason": reason,
    }
    with connection.cursor() as cursor:
        _database().insert_tracked(cursor, plan, recorded, rows, meanwhile)
