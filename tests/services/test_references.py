"""References that triggers check: they hold whatever writes, as foreign keys would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from apps.audit.triggers.references import references
from apps.common.actor import Actor
from apps.common.ids import uuid7
from apps.decisions.bulk import insert_rows, insert_tracked
from apps.decisions.models import Decision
from apps.policies.models import PolicyVersion
from apps.registry.models import ModelVersion
from apps.reviews.models import Pool, ReviewTask, Seat
from tests import databases
from tests.services.gates import body, gate, send

ANN = Actor("person", "1", "ann")
NOBODY = str(UUID(int=7))
CHECKED = {
    "decisions_decision.use_case_id",
    "decisions_decision.model_version_id",
    "decisions_decision.policy_id",
    "reviews_reviewtask.use_case_id",
    "reviews_reviewtask.decision_id",
    "reviews_seat.task_id",
    "reviews_seat.pool_id",
}


@pytest.fixture
def written(committed_db: Any) -> Decision:
    """A decision that waits for a review: its task has a seat."""
    send(gate(policy={"confidence_threshold": 0.99}), body("c-1"))
    return Decision.objects.get()


def again(model: Any, row: Any, count: int, **changed: Any) -> None:
    """More rows like ``row`` through the bulk writer."""
    columns = [f.column for f in model._meta.concrete_fields if f.column != "external_id"]
    table = {f.column: f for f in model._meta.concrete_fields}
    constants = {
        c: table[c].get_db_prep_save(getattr(row, table[c].attname), connection)
        for c in columns
        if c not in ("id", "history_id", "number")
    } | changed
    with transaction.atomic():
        if model is Seat:
            rows = [(10 + n,) for n in range(count)]
            insert_rows(Seat, constants, ["number"], rows)
            return
        named = model is Decision
        rows = [(str(uuid7()), *([f"x-{n}"] if named else [])) for n in range(count)]
        varying = ["id", *(["external_id"] if named else [])]
        insert_tracked(model, constants, varying, rows, actor=ANN)


def test_these_references_and_no_others_are_checked_by_triggers(committed_db: Any) -> None:
    found = references(set(connection.introspection.table_names()))
    assert {f"{one.table}.{one.column}" for one in found} == CHECKED


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize(
    ("model", "column", "lost"),
    [
        (Decision, "use_case_id", "nowhere"),
        (Decision, "model_version_id", NOBODY),
        (Decision, "policy_id", NOBODY),
        (ReviewTask, "use_case_id", "nowhere"),
        (ReviewTask, "decision_id", NOBODY),
        (Seat, "task_id", NOBODY),
        (Seat, "pool_id", 999_999),
    ],
)
def test_a_row_that_refers_to_nothing_is_refused_by_name(
    written: Decision, model: Any, column: str, lost: Any, count: int
) -> None:
    row, before = model.objects.get(), model.objects.count()
    if connection.vendor == "sqlite" and lost == NOBODY:
        lost = NOBODY.replace("-", "")
    with pytest.raises(IntegrityError, match=f"{column} refers to no row"):
        again(model, row, count, **{column: lost})
    assert model.objects.count() == before


@pytest.mark.parametrize("model", [Decision, ReviewTask, Seat], ids=lambda model: model.__name__)
def test_rows_that_refer_to_what_stands_are_written(written: Decision, model: Any) -> None:
    again(model, model.objects.get(), 20)
    assert model.objects.count() == 21


def test_a_reference_is_not_moved_to_nothing(written: Decision) -> None:
    with pytest.raises(IntegrityError, match="pool_id refers to no row"), transaction.atomic():
        Seat.objects.update(pool_id=999_999)
    assert Seat.objects.get().pool == Pool.objects.get()


def test_a_reference_is_moved_to_another_row(written: Decision) -> None:
    other = Pool.objects.create(use_case=written.use_case, role="lead", key="other")
    assert Seat.objects.update(pool=other) == 1


def _deleted(model: Any) -> Callable[[], None]:
    def run() -> None:
        """With its end recorded, so that the guard lets it pass."""
        table, row = model._meta.db_table, model.objects.get()
        if hasattr(model, "history"):
            last = row.history.latest()
            last.pk, last.history_type = None, "-"
            last._state.adding = True
            last.save(force_insert=True)
        key = model._meta.pk.get_db_prep_value(row.pk, connection)
        with connection.cursor() as cursor:
            cursor.execute(f'DELETE FROM "{table}" WHERE "{model._meta.pk.column}" = %s', [key])

    return run


@pytest.mark.parametrize(
    "model", [PolicyVersion, ModelVersion, ReviewTask, Decision, Pool], ids=lambda m: m.__name__
)
def test_what_is_referred_to_is_not_deleted(written: Decision, model: Any) -> None:
    with pytest.raises(IntegrityError, match="is referred to by"), transaction.atomic():
        _deleted(model)()
    assert model.objects.count() == 1


def test_what_nothing_refers_to_is_deleted(written: Decision) -> None:
    other = Pool.objects.create(use_case=written.use_case, role="lead", key="other")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM reviews_pool WHERE id = %s", [other.pk])
    assert Pool.objects.count() == 1


def test_what_is_referred_to_keeps_its_key(written: Decision) -> None:
    with pytest.raises(IntegrityError, match="is referred to by"), transaction.atomic():
        Pool.objects.update(id=999_999)


def test_what_a_transaction_at_work_refers_to_waits_to_be_deleted(written: Decision) -> None:
    """Else the deletion would not see the new row, and the row would refer to nothing."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    other = Pool.objects.create(use_case=written.use_case, role="lead", key="other")
    name = connection.settings_dict["NAME"]
    with transaction.atomic():
        again_in = Seat.objects.get()
        rows = [(11, other.pk)]
        insert_rows(
            Seat,
            {"task_id": str(again_in.task_id), "rank": again_in.rank},
            ["number", "pool_id"],
            rows,
        )
        with databases.server_connection(name) as second:
            second.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                second.execute("DELETE FROM reviews_pool WHERE id = %s", [other.pk])
    with (
        databases.server_connection(name) as second,
        pytest.raises(psycopg.errors.ForeignKeyViolation, match="is referred to by"),
    ):
        second.execute("DELETE FROM reviews_pool WHERE id = %s", [other.pk])
