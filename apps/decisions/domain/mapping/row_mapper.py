"""From the rows of a file to the bodies of records, after a mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.faults import shown
from apps.decisions.domain.mapping.builders import Row, compile_fields, compile_node, take_fields
from apps.decisions.domain.mapping.casts import to_decimal, to_json_number, to_text
from apps.decisions.domain.mapping.document import Mapping
from apps.decisions.domain.mapping.sources import MaxOfScores, Node, OneMinus
from apps.decisions.domain.readers.rows import SourceRow
from apps.decisions.domain.schema import DecisionSchema
from apps.decisions.domain.strict_json import parse_object


class MappedRow(NamedTuple):
    """A row after its mapping: ``line`` as in the file, and the record's body or its fault."""

    line: int
    body: dict[str, object] | BadInput


class RowMapper:
    """Makes the body of a record from a row; None for a repeat of a key.

    Parameters: ``mapping``; ``columns`` of the file, None where each row names its own;
    ``schema`` of the use case, which gives features and attributes their types, or None.
    Errors: BadInput where the mapping names a column that the file lacks, or ``others`` without
    columns. ``repeats`` counts the rows passed over.
    """

    def __init__(
        self,
        mapping: Mapping,
        columns: Iterable[str] | None,
        schema: DecisionSchema | None = None,
    ) -> None:
        self.repeats = 0
        self._seen: set[str] = set()
        self._key = mapping.once_key
        self._mapping = mapping
        present = None if columns is None else tuple(columns)
        _check_columns(mapping, present)
        unused = self._unused(mapping, present)
        missing = mapping.missing
        self._build = compile_node("", mapping.members, missing)
        self._derived = _derived_sources(mapping.members)
        features = schema.features if schema else ()
        attributes = schema.subject_attributes if schema else ()
        self._features = compile_fields("/features", mapping.features, features, unused, missing)
        self._attributes = compile_fields(
            "/subject/attributes", mapping.attributes, attributes, unused, missing
        )

    @property
    def skips_repeats(self) -> bool:
        """Whether rows are passed over by key, so that earlier rows bear on later ones."""
        return self._key is not None

    def __call__(self, row: Row) -> dict[str, object] | None:
        """The body of one row.

        Parameters: ``row``, column name -> value. Returns: the body, or None for a repeat.
        Errors: BadInput with a pointer for each cell that its source cannot use.
        """
        if self._key is not None and self._is_repeat(str(to_text(row.get(self._key)))):
            self.repeats += 1
            return None
        errors: list[FieldError] = []
        body = self._build(row, errors)
        if not isinstance(body, dict):
            raise BadInput("the mapping yields no record")
        if self._mapping.records == "decisions":
            self._complete(body, row, errors)
        if errors:
            raise BadInput(errors)
        return body

    def _is_repeat(self, key: str) -> bool:
        if key in self._seen:
            return True
        self._seen.add(key)
        return False

    def _complete(self, body: dict[str, object], row: Row, errors: list[FieldError]) -> None:
        if not self._mapping.has_output:
            body["output"] = None
        _derive_scores(body.get("output"), self._derived)
        features = take_fields(self._features, row, errors)
        if features:
            body["features"] = features
        attributes = take_fields(self._attributes, row, errors)
        if attributes:
            subject = body.setdefault("subject", {})
            if isinstance(subject, dict):
                subject["attributes"] = attributes

    @staticmethod
    def _unused(mapping: Mapping, present: tuple[str, ...] | None) -> tuple[str, ...]:
        used = mapping.named_columns()
        return tuple(name for name in present or () if name not in used)


def mapped_rows(
    rows: Iterable[SourceRow], mapper: RowMapper, *, resume_from: int = 1
) -> Iterator[MappedRow]:
    """The records of a file, row by row; repeats of a key are left out.

    Parameters: ``rows`` of a reader; ``mapper``; ``resume_from``, the first line to yield. Where
    the mapper passes over repeats, the reader must begin at the first line, since a key may have
    been seen before; otherwise it may itself begin at ``resume_from``.
    Returns: an iterator of MappedRow.
    """
    for row in rows:
        body = _map_row(row.data, mapper)
        if body is not None and row.line >= resume_from:
            yield MappedRow(row.line, body)


def _map_row(
    data: dict[str, object] | bytes | BadInput, mapper: RowMapper
) -> dict[str, object] | BadInput | None:
    if isinstance(data, BadInput):
        return data
    try:
        return mapper(parse_object(data) if isinstance(data, bytes) else data)
    except BadInput as fault:
        return fault


def _derived_sources(members: dict[str, Node]) -> tuple[dict[str, str], bool]:
    """Labels whose score is 1 minus another's, and whether confidence is the largest score."""
    output = members.get("output")
    if not isinstance(output, dict):
        return {}, False
    scores = output.get("scores")
    named = scores.items() if isinstance(scores, dict) else ()
    opposites = {name: node.label for name, node in named if isinstance(node, OneMinus)}
    return opposites, isinstance(output.get("confidence"), MaxOfScores)


def _derive_scores(output: object, derived: tuple[dict[str, str], bool]) -> None:
    opposites, from_scores = derived
    scores = output.get("scores") if isinstance(output, dict) else None
    if not isinstance(output, dict) or not isinstance(scores, dict):
        return
    for label, other in opposites.items():
        number = to_decimal(scores.get(other))
        if number is not None:
            scores[label] = to_json_number(1 - number)
    if not scores:
        del output["scores"]
    numbers = [number for value in scores.values() if (number := to_decimal(value)) is not None]
    if from_scores and numbers:
        output["confidence"] = to_json_number(max(numbers))


def _check_columns(mapping: Mapping, present: tuple[str, ...] | None) -> None:
    if present is None:
        if mapping.features.others or mapping.attributes.others:
            raise BadInput('"others" needs a file whose header names its columns')
        return
    lacking = sorted(mapping.named_columns() - set(present))
    if lacking:
        listed = ", ".join(present)
        raise BadInput(
            FieldError("", f"the file has no column {shown(name)}; it has: {listed}")
            for name in lacking
        )
