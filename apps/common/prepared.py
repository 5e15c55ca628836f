"""Queries of the ORM that are compiled once: on the path of a claim or of a case's page, building a
query takes several times as long as the database takes to answer it.

A query is written as elsewhere, with a marker for each value that differs from call to call. Nothing
else of it may differ: what would need another condition, order or limit is another query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.query import ModelIterable, get_related_populators


@dataclass(frozen=True, slots=True)
class _Marker:
    name: str


class _Compiled(NamedTuple):
    """A statement with its parameters, some of them markers; and how its rows are read."""

    sql: str
    parameters: Sequence[Any]
    converters: Mapping[int, Any]
    of_row: Callable[[Sequence[Any]], Any]


class Prepared:
    """One query with values to come.

    Parameters: ``build``, which is given a marker by the name of each value and returns a QuerySet,
    of instances or by ``values_list`` of plain fields; ``values``, name -> the model's attribute that
    says how the database keeps the value, as in ``user=RoleGrant.user``.
    """

    def __init__(self, build: Callable[..., QuerySet[Any]], **values: Any) -> None:
        self._build, self._values = build, values
        self._compiled: dict[tuple[str, str], _Compiled] = {}

    def rows(self, **values: Any) -> list[Any]:
        """What the query finds: tuples, or instances with what ``select_related`` names."""
        compiled = self._for_database()
        kept = {
            name: self._values[name].field.get_db_prep_value(value, connection)
            for name, value in values.items()
        }
        parameters = [
            kept[one.name] if isinstance(one, _Marker) else one for one in compiled.parameters
        ]
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, parameters)
            found = cursor.fetchall()
        return [compiled.of_row(_converted(row, compiled.converters)) for row in found]

    def first(self, **values: Any) -> Any:
        """The first row; None where there is none. The query itself says how many are read."""
        return next(iter(self.rows(**values)), None)

    def _for_database(self) -> _Compiled:
        place = (connection.alias, connection.vendor)
        if place not in self._compiled:
            self._compiled[place] = self._compile()
        return self._compiled[place]

    def _compile(self) -> _Compiled:
        markers = {name: RawSQL("%s", [_Marker(name)]) for name in self._values}
        asked = self._build(**markers)
        compiler: Any = asked.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        columns = [column[0] for column in compiler.select[: compiler.col_count]]
        makes_instances = issubclass(asked._iterable_class, ModelIterable)
        of_row = _instances(compiler) if makes_instances else tuple
        return _Compiled(sql, parameters, compiler.get_converters(columns), of_row)


def _converted(row: Sequence[Any], converters: Mapping[int, Any]) -> Sequence[Any]:
    if not converters:
        return row
    values = list(row)
    for place, (convert, expression) in converters.items():
        for one in convert:
            values[place] = one(values[place], expression, connection)
    return values


def _instances(compiler: Any) -> Callable[[Sequence[Any]], Any]:
    """A row as Django's own iteration makes an instance of it."""
    info, select, alias = compiler.klass_info, compiler.select, connection.alias
    model, places = info["model"], info["select_fields"]
    first, last = places[0], places[-1] + 1
    names = [column[0].target.attname for column in select[first:last]]
    populators = get_related_populators(info, select, alias)  # type: ignore[call-arg]

    def of_row(row: Sequence[Any]) -> Any:
        made = model.from_db(alias, names, row[first:last])
        for populator in populators:
            populator.populate(row, made)
        return made

    return of_row
