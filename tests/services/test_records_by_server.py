"""Where the database writes the records, they are byte for byte those that Python would write."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from django.db import connection

from apps.audit import databases, sealing
from apps.audit.databases import postgresql, postgresql_json
from apps.audit.domain.canonical import MAX_SAFE_INTEGER, FlatRecordEncoder
from apps.audit.domain.merkle import leaf_hash
from apps.audit.models import Leaf
from apps.audit.records import CONVERTERS, reader_for_sealing
from apps.registry.services import ai_system_register, use_case_create
from tests.services.ledgers import ANN, findings

needs_postgresql = pytest.mark.skipif(
    "connection.vendor == 'sqlite'", reason="on SQLite Python writes every record"
)
EVERY_LOW_CHARACTER = "".join(map(chr, range(1, 0x300)))
TEXTS = [
    "",
    "plain",
    '"\\/',
    EVERY_LOW_CHARACTER,
    "\u2028\u2029\ud7ff\ue000\ufffd\uffff😀",
    "a\r\nb",
]


def doubles() -> list[float]:
    """Each form that a double is written in, the edges between them, and many at random."""
    edges = [0.0, -0.0, 1.0, -1.5, 0.1, 1e-4, 9.999e-5, 1e-5, 5e-324, 1.7976931348623157e308]
    edges += [999999999999999.9, 1e15, 1000000000000000.1, 9999999999999998.0, 1e16, 1.5e16, 1e22]
    edges += [float("inf"), float("-inf"), float("nan")]
    source = random.Random(8785)
    bits = (source.getrandbits(64).to_bytes(8, "big") for _ in range(2000))
    return edges + [struct.unpack(">d", value)[0] for value in bits]


def written_by_server(kind: str, column_type: str, value: Any) -> str | None:
    expression = postgresql_json.record_expression("probe", 1, {"v": "v"}, {"v": kind})
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression} FROM (SELECT %s::{column_type} AS v) h", [value])
        text: str | None = cursor.fetchone()[0]
    return text


def written_by_python(kind: str, column_type: str, value: Any) -> str:
    column = databases.of(connection).expression("v", kind)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM (SELECT %s::{column_type} AS v) h", [value])
        read = cursor.fetchone()[0]
    convert = CONVERTERS.get(kind)
    values = ["probe", 1, convert(read) if convert else read]
    return FlatRecordEncoder(["type", "schema", "v"]).encode(values).decode()


VALUES: list[tuple[str, str, list[Any]]] = [
    ("text", "text", TEXTS),
    ("int", "bigint", [0, -1, 7, MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER]),
    ("bool", "boolean", [True, False]),
    ("uuid", "uuid", ["018f3e2a-0000-7000-8000-00000000000A"]),
    (
        "time",
        "timestamptz",
        ["2026-11-02T09:30:00Z", "1999-12-31T23:59:59.999999+05:30", "2026-01-01T00:00:00.1Z"],
    ),
    ("date", "date", ["2026-11-02", "0001-01-01", "9999-12-31"]),
    ("bytes", "bytea", [b"", b"\x00\xff"]),
    ("decimal4", "bigint", [0, 5, -5, 10_000, 250_000_000, -123_456_789, 10**18 - 1]),
]


@needs_postgresql
@pytest.mark.parametrize(("kind", "column_type", "values"), VALUES, ids=[v[0] for v in VALUES])
def test_the_server_writes_a_value_as_python_does(
    db: None, kind: str, column_type: str, values: list[Any]
) -> None:
    for value in [*values, None]:
        by_python = written_by_python(kind, column_type, value)
        assert written_by_server(kind, column_type, value) == by_python


def test_no_kind_of_value_is_left_out_of_the_comparison() -> None:
    assert {kind for kind, _type, _values in VALUES} | {"float"} == set(postgresql_json.VALUES)


@needs_postgresql
def test_the_server_writes_a_double_as_python_does_or_leaves_it_to_python(db: None) -> None:
    left = []
    for value in doubles():
        by_server = written_by_server("float", "float8", value)
        if by_server is None:
            left.append(value)
        else:
            assert by_server == written_by_python("float", "float8", value)
    assert all(not abs(v) < 1e15 and not 1e16 <= abs(v) < float("inf") for v in left)
    assert written_by_server("float", "float8", None) == written_by_python("float", "float8", None)


@needs_postgresql
@pytest.mark.parametrize("value", [MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1])
def test_an_integer_that_json_cannot_hold_is_left_to_python_which_refuses_it(
    db: None, value: int
) -> None:
    assert written_by_server("int", "bigint", value) is None
    with pytest.raises(ValueError, match="last safe one"):
        written_by_python("int", "bigint", value)


def odd_records() -> None:
    for number, text in enumerate(TEXTS):
        ai_system_register(actor=ANN, name=f"odd-{number}", intended_purpose=text)
    labels = ['with "quotes"', "back\\slash", "ü"]
    use_case_create(
        actor=ANN, reason="odd", slug="odd", labels=labels, tolerance="0.0005", retention_days=30
    )


def assert_sealed_as_python_writes() -> None:
    with connection.cursor() as cursor:
        for leaf in Leaf.objects.all():
            reader = reader_for_sealing(connection, leaf.record_type)
            made = reader.record(reader.rows(cursor, [leaf.record_id])[leaf.record_id])
            assert leaf.data.encode() == made.data
            assert bytes(leaf.leaf_hash) == leaf_hash(made.data)
            listed = (f"{leaf.at:%Y-%m-%dT%H:%M:%S.%fZ}", leaf.actor_id, leaf.use_case)
            assert listed == (made.at, made.actor_id, made.use_case)
    assert findings(full=True) == []


def test_every_sealed_record_is_the_one_that_python_writes(committed_db: Any) -> None:
    odd_records()
    sealing.seal_all()
    assert Leaf.objects.filter(use_case="odd").count() == 1
    assert_sealed_as_python_writes()


@needs_postgresql
def test_records_that_the_server_cannot_write_are_sealed_among_those_that_it_can(
    committed_db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = postgresql.record_expression

    def without_every_second(record_type: str, *rest: Any) -> str:
        written = real(record_type, *rest)
        if record_type != "ai_system":
            return written
        return f"CASE WHEN mod(h.history_id, 2) = 0 THEN {written} END"

    sealing.seal_all()
    for number in range(7):
        ai_system_register(actor=ANN, name=f"system-{number}", limits=TEXTS[3])
    monkeypatch.setattr(postgresql, "record_expression", without_every_second)
    assert sealing.seal_all() == 7
    assert findings(full=True) == []
    monkeypatch.undo()
    assert_sealed_as_python_writes()
