"""The mapping file: from TOML to a checked tree of sources."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.faults import pointer_to, shown, unknown_keys
from apps.decisions.domain.mapping.casts import CASTS
from apps.decisions.domain.mapping.sources import (
    ColumnSource,
    FieldTable,
    MaxOfScores,
    Node,
    OneMinus,
    Source,
    is_source,
    read_source,
    read_word,
)

_DECISION_NEEDS = ("external_id", "model", "model_version", "kind", "output")
_NEEDS: dict[str, tuple[str, ...]] = {
    "decisions": _DECISION_NEEDS,
    "reviews": ("external_id", "reviewer", "label"),
    "outcomes": ("external_id", "label"),
}
_MEMBERS: dict[str, frozenset[str]] = {
    "decisions": frozenset(
        {*_DECISION_NEEDS, "amount", "decided_at", "features", "subject", "explanation", "evidence"}
    ),
    "reviews": frozenset(
        {
            *_NEEDS["reviews"],
            "reviewed_at",
            "active_seconds",
            "initial_label",
            "saw_ai",
            "confidence",
        }
    ),
    "outcomes": frozenset({*_NEEDS["outcomes"], "observed_at", "source", "satisfaction"}),
}
_HEAD = frozenset({"records", "missing", "once"})
_FIELD_TABLE_KEYS = frozenset({"columns", "rename", "types", "more"})
_OUTPUT_COLUMNS = frozenset({"label", "confidence", "value", "low", "high", "text", "name"})


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping.

    ``records``: decisions, reviews or outcomes; ``members``: sources by place in the record,
    without features and attributes, which are tables of their own; ``has_output``: False where
    no model has spoken; ``missing``: cell texts that mean "not known"; ``once_key``: a column.
    """

    records: str
    members: dict[str, Node]
    features: FieldTable
    attributes: FieldTable
    has_output: bool
    missing: frozenset[str]
    once_key: str | None

    def named_columns(self) -> frozenset[str]:
        """The columns that the mapping names, those of ``others`` not among them."""
        used = {node.column for node in _leaves(self.members) if isinstance(node, ColumnSource)}
        for table in (self.features, self.attributes):
            used.update(table.columns, table.rename.values())
            used.update(s.column for s in table.more.values() if isinstance(s, ColumnSource))
        return frozenset(used | ({self.once_key} if self.once_key else set()))


def mapping_from_toml(text: str) -> Mapping:
    """A mapping from the text of its file.

    Parameters: ``text``, TOML 1.0. Returns: Mapping.
    Errors: BadInput, each fault with the pointer of its key, the value seen and what is allowed.
    """
    try:
        # decimals are kept exact, so that (5 - 0.5) x 0.1 is 0.45
        tables = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise BadInput(f"the mapping is not TOML: {fault}") from None
    return mapping_from_tables(tables)


def mapping_from_tables(tables: dict[str, object]) -> Mapping:
    """A mapping from its tables, as TOML reads them.

    Parameters: ``tables``. Returns: Mapping. Errors: BadInput, as for ``mapping_from_toml``.
    """
    errors: list[FieldError] = []
    records = tables.get("records")
    if not isinstance(records, str) or records not in _MEMBERS:
        detail = f"records is {shown(records)}; allowed are: {', '.join(_MEMBERS)}"
        raise BadInput(detail, "/records")
    unknown_keys(errors, "", tables, _MEMBERS[records] | _HEAD)
    for name in _NEEDS[records]:
        if name not in tables:
            errors.append(FieldError(f"/{name}", f"{name} is required in a mapping of {records}"))
    subject = tables.get("subject")
    attributes = subject.get("attributes") if isinstance(subject, dict) else None
    mapping = Mapping(
        records,
        _read_members(errors, tables),
        _read_fields(errors, "/features", tables.get("features")),
        _read_fields(errors, "/subject/attributes", attributes),
        tables.get("output") is not False,
        _read_missing(errors, tables.get("missing")),
        _read_once(errors, tables.get("once")),
    )
    _check_derived(errors, mapping)
    if errors:
        raise BadInput(errors)
    return mapping


def mapping_from_header(records: str, columns: Iterable[str]) -> Mapping:
    """The mapping of a file whose columns bear the names of the record's members.

    Definition: reviews and outcomes: the members' names. Decisions: external_id, model,
    model_version, kind, amount, decided_at; label, confidence, value, low, high, text and name of
    the output; ``score.LABEL``, ``feature.NAME``, ``subject.ref``, ``subject.NAME``.
    Parameters: ``records``; ``columns`` of the file. Returns: Mapping.
    Errors: BadInput, by name, for a column that is none of these and for a member that is missing.
    """
    tables: dict[str, object] = {"records": records}
    output: dict[str, object] = {}
    scores: dict[str, str] = {}
    features: dict[str, str] = {}
    attributes: dict[str, str] = {}
    subject: dict[str, object] = {}
    for column in columns:
        prefix, dot, name = column.partition(".")
        if records != "decisions" or (not dot and column not in _OUTPUT_COLUMNS):
            tables[column] = column
        elif not dot:
            output[column] = column
        elif column == "subject.ref":
            subject["ref"] = column
        elif prefix in ("score", "feature", "subject") and name:
            {"score": scores, "feature": features, "subject": attributes}[prefix][name] = column
        else:
            tables[column] = column
    if scores:
        output["scores"] = scores
    if records == "decisions":
        tables["output"] = output or False
        tables["features"] = {"rename": features}
        tables["subject"] = {**subject, "attributes": {"rename": attributes}}
    return mapping_from_tables(tables)


def _leaves(node: Node) -> Iterator[Source]:
    if isinstance(node, dict):
        for child in node.values():
            yield from _leaves(child)
    elif isinstance(node, list):
        for child in node:
            yield from _leaves(child)
    else:
        yield node


def _read_members(errors: list[FieldError], tables: dict[str, object]) -> dict[str, Node]:
    members: dict[str, Node] = {}
    for name, data in tables.items():
        if name in _HEAD or name == "features" or (name == "output" and data is False):
            continue
        if name == "subject" and isinstance(data, dict):
            data = {key: item for key, item in data.items() if key != "attributes"}
        node = _read_node(errors, pointer_to("", name), data)
        if node is not None:
            members[name] = node
    return members


def _read_node(errors: list[FieldError], pointer: str, data: object) -> Node | None:
    if isinstance(data, dict) and not is_source(data):
        return {
            name: node
            for name, item in data.items()
            if (node := _read_node(errors, pointer_to(pointer, name), item)) is not None
        }
    if isinstance(data, list):
        nodes = [_read_node(errors, f"{pointer}/{index}", item) for index, item in enumerate(data)]
        return [node for node in nodes if node is not None]
    before = len(errors)
    source = read_source(errors, pointer, data)
    return source if len(errors) == before else None


def _read_fields(errors: list[FieldError], pointer: str, data: object) -> FieldTable:
    if data is None:
        return FieldTable()
    if not isinstance(data, dict):
        detail = f"{pointer.rpartition('/')[2]} is {shown(data)}; a table is allowed"
        errors.append(FieldError(pointer, detail))
        return FieldTable()
    unknown_keys(errors, pointer, data, _FIELD_TABLE_KEYS)
    columns = data.get("columns", [])
    others = columns == "others"
    if not others and not (isinstance(columns, list) and all(isinstance(c, str) for c in columns)):
        detail = f'columns is {shown(columns)}; a list of columns or "others" is allowed'
        errors.append(FieldError(f"{pointer}/columns", detail))
        columns = []
    types = _read_texts(errors, f"{pointer}/types", data.get("types"))
    for name, cast in types.items():
        if cast not in CASTS:
            detail = f"{name} is {shown(cast)}; allowed are: {', '.join(CASTS)}"
            errors.append(FieldError(pointer_to(f"{pointer}/types", name), detail))
    more = data.get("more", {})
    return FieldTable(
        () if others else tuple(str(column) for column in columns),
        others,
        _read_texts(errors, f"{pointer}/rename", data.get("rename")),
        types,
        {
            name: read_source(errors, pointer_to(f"{pointer}/more", name), item)
            for name, item in (more.items() if isinstance(more, dict) else ())
        },
    )


def _read_texts(errors: list[FieldError], pointer: str, data: object) -> dict[str, str]:
    if data is None:
        return {}
    if not isinstance(data, dict):
        name = pointer.rpartition("/")[2]
        errors.append(FieldError(pointer, f"{name} is {shown(data)}; a table is allowed"))
        return {}
    return {name: read_word(errors, pointer, name, value) for name, value in data.items()}


def _read_missing(errors: list[FieldError], data: object) -> frozenset[str]:
    if data is None:
        return frozenset()
    if isinstance(data, list) and all(isinstance(item, str) for item in data):
        return frozenset(data)
    detail = f"missing is {shown(data)}; a list of texts is allowed"
    errors.append(FieldError("/missing", detail))
    return frozenset()


def _read_once(errors: list[FieldError], data: object) -> str | None:
    if data is None:
        return None
    if not isinstance(data, dict):
        errors.append(FieldError("/once", f'once is {shown(data)}; {{key = "COLUMN"}} is allowed'))
        return None
    unknown_keys(errors, "/once", data, frozenset({"key"}))
    return read_word(errors, "/once", "key", data.get("key"))


def _check_derived(errors: list[FieldError], mapping: Mapping) -> None:
    """Sources that look at other members stand only where those members are."""
    output = mapping.members.get("output")
    scores = output.get("scores") if isinstance(output, dict) else None
    direct: set[str] = set()
    if isinstance(scores, dict):
        direct = {name for name, node in scores.items() if isinstance(node, ColumnSource)}
    for pointer, node in _placed("", mapping.members):
        if isinstance(node, OneMinus):
            if not pointer.startswith("/output/scores/") or node.label not in direct:
                listed = ", ".join(sorted(direct)) or "none"
                detail = f"one_minus is {shown(node.label)}; scores taken from a column: {listed}"
                errors.append(FieldError(f"{pointer}/one_minus", detail))
        elif isinstance(node, MaxOfScores) and (pointer != "/output/confidence" or not scores):
            detail = "max_of is allowed as output.confidence, where there are scores"
            errors.append(FieldError(f"{pointer}/max_of", detail))
    for table, place in (
        (mapping.features, "/features/more"),
        (mapping.attributes, "/subject/attributes/more"),
    ):
        for name, source in table.more.items():
            if isinstance(source, OneMinus | MaxOfScores):
                detail = f"{shown(name)} is derived from scores, which is not allowed here"
                errors.append(FieldError(pointer_to(place, name), detail))


def _placed(pointer: str, node: Node) -> Iterator[tuple[str, Source]]:
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _placed(pointer_to(pointer, name), child)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _placed(f"{pointer}/{index}", child)
    else:
        yield pointer, node
