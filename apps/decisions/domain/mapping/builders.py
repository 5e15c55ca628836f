"""Sources made into functions that take a value from a row."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from apps.common.errors import FieldError
from apps.decisions.domain.faults import pointer_to, shown
from apps.decisions.domain.mapping.casts import (
    CASTS,
    Cast,
    to_decimal,
    to_json_number,
    to_number,
    to_text,
)
from apps.decisions.domain.mapping.sources import (
    COMPARISONS,
    ColumnSource,
    ConstantSource,
    FieldTable,
    MaxOfScores,
    Node,
    OneMinus,
    Source,
)
from apps.decisions.domain.schema import FieldSpec

Row = dict[str, object]
Builder = Callable[[Row, list[FieldError]], object]
_Take = Callable[[Row], object]
_Step = Callable[[object], object]

_TYPE_OF_MEMBER: dict[str, str] = {
    "/external_id": "text",
    "/model": "text",
    "/model_version": "text",
    "/kind": "text",
    "/amount": "text",
    "/decided_at": "time",
    "/subject/ref": "text",
    "/output/label": "text",
    "/output/confidence": "number",
    "/output/value": "number",
    "/output/low": "number",
    "/output/high": "number",
    "/output/text": "text",
    "/reviewer": "text",
    "/label": "text",
    "/initial_label": "text",
    "/reviewed_at": "time",
    "/observed_at": "time",
    "/active_seconds": "number",
    "/saw_ai": "boolean",
    "/confidence": "number",
    "/source": "text",
    "/satisfaction": "number",
}


class _CellFaultError(ValueError):
    """A cell that its source cannot use."""


def compile_node(pointer: str, node: Node, missing: frozenset[str]) -> Builder:
    """A function that builds this part of a record.

    Definition: empty members are left out; members derived from scores are left to the caller.
    Parameters: ``pointer`` of the part; ``node``; ``missing``, cell texts that mean "not known".
    Returns: (row, errors) -> value, which appends a fault for each cell it cannot use.
    """
    if isinstance(node, dict):
        members = [
            (name, compile_node(pointer_to(pointer, name), child, missing))
            for name, child in node.items()
            if not isinstance(child, OneMinus | MaxOfScores)
        ]

        def build_object(row: Row, errors: list[FieldError]) -> object:
            return {
                name: value for name, build in members if (value := build(row, errors)) is not None
            }

        return build_object
    if isinstance(node, list):
        items = [
            compile_node(f"{pointer}/{index}", child, missing) for index, child in enumerate(node)
        ]
        return lambda row, errors: [build(row, errors) for build in items]
    return _guarded(pointer, _compile_source(node, _cast_of(pointer), missing))


def _guarded(pointer: str, take: _Take) -> Builder:
    def build(row: Row, errors: list[FieldError]) -> object:
        try:
            return take(row)
        except _CellFaultError as fault:
            errors.append(FieldError(pointer, str(fault)))
            return None

    return build


def _cast_of(pointer: str) -> Cast | None:
    if pointer.startswith("/output/scores/") or (
        pointer.startswith("/output/fields/") and pointer.endswith("/confidence")
    ):
        return to_number
    named = _TYPE_OF_MEMBER.get(pointer)
    return CASTS[named] if named else None


def _compile_source(source: Source, cast: Cast | None, missing: frozenset[str]) -> _Take:
    if isinstance(source, ConstantSource):
        value = source.value
        return lambda row: value
    if not isinstance(source, ColumnSource):
        raise TypeError(f"{source!r} is derived from scores, not from a row")
    column, default = source.column, source.default
    steps = _steps_of(source, cast)

    def take(row: Row) -> object:
        cell = row.get(column)
        if cell is None or cell == "" or (isinstance(cell, str) and cell in missing):
            return default
        for step in steps:
            cell = step(cell)
        return cell

    return take


def _steps_of(source: ColumnSource, cast: Cast | None) -> list[_Step]:
    steps: list[_Step] = []
    if source.values is not None:
        steps.append(_value_step(source.column, source.values))
    if source.threshold is not None:
        steps.append(_threshold_step(source))
    if source.linear is not None:
        steps.append(_linear_step(source.column, *source.linear))
    chosen = source.cast or cast
    if chosen is not None:
        steps.append(chosen)
    if source.prefix:
        prefix = source.prefix
        steps.append(lambda cell: f"{prefix}{to_text(cell)}")
    return steps


def _value_step(column: str, values: dict[str, object]) -> _Step:
    def translate(cell: object) -> object:
        text = str(to_text(cell))
        if text not in values:
            listed = ", ".join(shown(known) for known in values)
            raise _CellFaultError(
                f"the column {column} is {shown(cell)}; the mapping knows: {listed}"
            )
        return values[text]

    return translate


def _threshold_step(source: ColumnSource) -> _Step:
    threshold = source.threshold
    if threshold is None:
        raise TypeError("a source without a threshold")
    compare, bound = COMPARISONS[threshold.word], threshold.bound
    then, otherwise = threshold.then, threshold.otherwise
    column = source.column
    return lambda cell: then if compare(_number_in(column, cell), bound) else otherwise


def _linear_step(column: str, offset: Decimal, scale: Decimal) -> _Step:
    return lambda cell: to_json_number((_number_in(column, cell) + offset) * scale)


def _number_in(column: str, cell: object) -> Decimal:
    number = to_decimal(cell)
    if number is None:
        raise _CellFaultError(f"the column {column} is {shown(cell)}; a number is needed")
    return number


def compile_fields(
    pointer: str,
    table: FieldTable,
    specs: tuple[FieldSpec, ...],
    unused: tuple[str, ...],
    missing: frozenset[str],
) -> list[tuple[str, Builder]]:
    """The features or attributes of a table of fields.

    Parameters: ``pointer`` of them in the record; ``table``; ``specs``, the declared types;
    ``unused``, the columns that ``others`` stands for; ``missing``, as for ``compile_node``.
    Returns: name and builder of each.
    """
    types = {spec.name: spec.type for spec in specs} | table.types
    sources: dict[str, Source] = {
        name: ColumnSource(name) for name in (unused if table.others else table.columns)
    }
    sources |= {name: ColumnSource(column) for name, column in table.rename.items()}
    sources |= table.more
    return [
        (
            name,
            _guarded(
                pointer_to(pointer, name),
                _compile_source(source, CASTS.get(types.get(name, "")), missing),
            ),
        )
        for name, source in sources.items()
    ]


def take_fields(
    fields: list[tuple[str, Builder]], row: Row, errors: list[FieldError]
) -> dict[str, object]:
    """The values of fields in one row, the empty ones left out.

    Parameters: ``fields`` of ``compile_fields``; ``row``; ``errors``, appended to.
    Returns: name -> value.
    """
    return {name: value for name, build in fields if (value := build(row, errors)) is not None}
