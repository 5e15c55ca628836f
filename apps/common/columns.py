"""Columns of a model for SQL that is written by hand: named once, read as the ORM would read them.

On the path of a single decision the ORM spends several times as long on building a query as the
database spends on answering it. A query of that path whose words never change is written out, and
its rows come back as the same values or instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """One query, and what its rows say."""

    sql: str
    parameters: Sequence[Any]
    of: Callable[[Rows], T]

    def now(self) -> T:
        return self.of(fetched(self.sql, self.parameters))

    def sent(self) -> Callable[[], T]:
        """Asks inside ``one_trip``; what is returned says the answer, behind it."""
        cursor = connection.cursor()
        cursor.execute(self.sql, self.parameters)

        def found() -> T:
            with cursor:
                return self.of(list(cursor.fetchall()))

        return found


def fetched(sql: str, parameters: Sequence[Any]) -> Rows:
    """The rows of one query."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def read_together(*readings: Reading[Any]) -> list[Any]:
    """What each says, in one trip to the database."""
    with one_trip():
        sent = [reading.sent() for reading in readings]
    return [found() for found in sent]


@contextmanager
def one_trip() -> Iterator[None]:
    """Statements inside wait for their results together, at the end. None of them may be a COPY,
    or be asked for its result before."""
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


class ModelColumns(Generic[M]):
    """The named fields of ``model``, or all of them."""

    def __init__(self, model: type[M], *names: str) -> None:
        self.model, self.names = model, names

    @cached_property
    def fields(self) -> list[Any]:
        own = self.model._meta
        return [own.get_field(n) for n in self.names] or list(own.concrete_fields)

    @cached_property
    def attributes(self) -> list[str]:
        return [field.attname for field in self.fields]

    def of(self, alias: str) -> str:
        """The list of columns, as it stands behind SELECT."""
        return ", ".join(f'{alias}."{field.column}"' for field in self.fields)

    @cached_property
    def _converters(self) -> list[tuple[int, Any, list[Callable[..., Any]]]]:
        found = []
        for place, field in enumerate(self.fields):
            column = field.get_col(self.model._meta.db_table)
            of_database = connection.ops.get_db_converters(column)
            converters = [*of_database, *column.get_db_converters(connection)]
            if converters:
                found.append((place, column, converters))
        return found

    def values(self, row: Sequence[Any]) -> list[Any]:
        """A row's values in the order of the fields, as Python has them."""
        values = list(row)
        for place, column, converters in self._converters:
            for convert in converters:
                values[place] = convert(values[place], column, connection)
        return values

    def instance(self, row: Sequence[Any]) -> M:
        """The row as an instance, as if the ORM had read it."""
        return self.model.from_db(connection.alias, self.attributes, self.values(row))
