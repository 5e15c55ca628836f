"""The bulk writer writes what ``save`` writes: rows, history rows and pending entries alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import person_create
from apps.audit import sealing
from apps.audit.models import PendingRecord
from apps.audit.verification import verify
from apps.common.actor import Actor
from apps.common.errors import ActorRequired, UnrecordedWrite
from apps.common.fields import ExactDecimalField
from apps.common.ids import uuid7
from apps.decisions.bulk import insert_rows, insert_tracked
from apps.decisions.models import Content, Decision, Payload
from apps.notifications.models import OutboxEvent
from apps.outcomes.models import Outcome
from apps.policies.models import PolicyVersion
from apps.registry.models import ModelVersion, UseCase
from apps.registry.services import ai_system_register, model_version_register
from apps.reviews.models import Review, ReviewTask
from tests.services.gates import gate

ANN = Actor("person", "1", "ann")
MOMENT = datetime(2026, 3, 4, 5, 6, 7, 80_900, tzinfo=UTC)
WHOLE_SECOND = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HISTORY = ("history_type", "history_user_id", "history_user_kind", "history_user_name")
# Both ways of writing rows on PostgreSQL: a few by INSERT, many by COPY.
MANY = pytest.mark.parametrize("count", [1, 7, 8, 20])
TEXTS = [
    "tab\tin it",
    "line\nend\r\nand\rreturn",
    "back\\slash \\N \\. \\t \\\\",
    "\\N",
    "\\.",
    "\"quotes\" and 'apostrophes'",
    "Ünïcødé 漢字 🎈 \u200d\u2028",
    "",
    " blanks around ",
    "x" * 200,
    '{"a":"\\u00e9\\n"}',
    "%s %(name)s $1 {}",
]


class World:
    """What the rows refer to."""

    def __init__(self) -> None:
        self.use_case: UseCase = gate()
        self.policy = PolicyVersion.objects.get()
        system = ai_system_register(actor=ANN, name="scorer")
        self.version: ModelVersion = model_version_register(actor=ANN, system=system, version="1")
        self.person: User = person_create(actor=ANN, username="rev", signs_in=False)

    def decision(self, number: int, **values: Any) -> Decision:
        text = TEXTS[number % len(TEXTS)]
        odd = bool(number % 2)
        return Decision(
            id=uuid7(),
            **{
                "use_case": self.use_case,
                "external_id": f"{number} {text}"[:200],
                "model_version": self.version,
                "kind": "label",
                "label": text[:200] if odd else None,
                "confidence": [0.1 + 0.2, 1e-17, 1.0, 0.0, None][number % 5],
                "margin": None if odd else 1 / 3,
                "label_not_top": odd,
                "amount": None if odd else Decimal("12345678901234.5678"),
                "decided_at": MOMENT if odd else WHOLE_SECOND,
                "created_at": MOMENT,
                "submitted_by": "1",
                "past": odd,
                "lane": "review" if odd else "automatic",
                "reason_codes": "within_policy",
                "sampling_probability": 0.02 if odd else None,
                "policy": self.policy,
                "routed_at": MOMENT + timedelta(hours=number),
                "lifecycle": "live",
                "model_status": "active",
                "mandate": UUID(int=number) if odd else None,
                "mandates_left": [{"id": "a", "count": number, "amount": None}] if odd else None,
                "status": "pending" if odd else "released",
                "settled_at": None if odd else MOMENT,
                "subject_pseudonym": None if odd else "a" * 64,
                **values,
            },
        )

    def stored_decision(self, number: int = 0) -> Decision:
        decision = self.decision(number)
        decision.save(actor=ANN)
        return decision

    def task(self, number: int) -> ReviewTask:
        odd = bool(number % 2)
        return ReviewTask(
            id=uuid7(),
            use_case=self.use_case,
            decision=self.stored_decision(number),
            kind="after" if odd else "before",
            status="open",
            reviews_required=number + 1,
            due_at=None if odd else MOMENT,
            rank=MOMENT,
            created_at=WHOLE_SECOND,
        )

    def review(self, number: int) -> Review:
        odd = bool(number % 2)
        return Review(
            id=uuid7(),
            use_case=self.use_case,
            decision=self.stored_decision(number),
            reviewer=self.person,
            imported=odd,
            label=TEXTS[number % len(TEXTS)],
            initial_label=None if odd else "deny",
            saw_ai=[True, False, None][number % 3],
            confidence=None if odd else 0.3,
            active_seconds=12.5 if odd else 3.0,
            reviewed_at=MOMENT if odd else None,
            created_at=MOMENT,
        )

    def outcome(self, number: int) -> Outcome:
        odd = bool(number % 2)
        return Outcome(
            id=uuid7(),
            use_case=self.use_case,
            decision=self.stored_decision(number),
            source="audit" if odd else "observed",
            label=TEXTS[number % len(TEXTS)] if odd else None,
            correct=[True, False, None][number % 3],
            satisfaction=0.7 if odd else None,
            observed_at=WHOLE_SECOND if odd else None,
            created_at=MOMENT,
        )


@pytest.fixture
def world(db: None) -> World:
    return World()


def raw_rows(table: str, key: str, ids: list[UUID]) -> list[dict[str, Any]]:
    """Rows as the database keeps them, without any conversion of Django's."""
    wanted = [one.hex if connection.vendor == "sqlite" else one for one in ids]
    marks = ", ".join(["%s"] * len(wanted))
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}" WHERE "{key}" IN ({marks})', wanted)
        names = [column[0] for column in cursor.description]
        rows = {str(row[names.index(key)]): dict(zip(names, row, strict=True)) for row in cursor}
    return [rows[str(one)] for one in wanted]


def written(instance: Any) -> tuple[Any, ...]:
    """The instance's values as the bulk writer takes them."""
    values = []
    for field in instance._meta.concrete_fields:
        value = getattr(instance, field.attname)
        if isinstance(field, ExactDecimalField) or type(field).__name__ == "StoredJSONField":
            value = field.get_prep_value(value)
        values.append(value)
    return tuple(values)


def in_bulk(instances: list[Any], actor: Actor = ANN, reason: str = "why") -> None:
    model = type(instances[0])
    columns = [field.column for field in model._meta.concrete_fields]
    with transaction.atomic():
        rows = [written(instance) for instance in instances]
        insert_tracked(model, {}, columns, rows, actor=actor, reason=reason)


def compare(make: Callable[[int], Any], count: int, but: tuple[str, ...]) -> None:
    """The same values saved one by one and in bulk leave the same rows behind."""
    saved, bulk = [make(n) for n in range(count)], [make(n) for n in range(count)]
    for one in saved:
        one.save(actor=ANN, reason="why")
    in_bulk(bulk)
    model = type(saved[0])
    for table, more in (
        (model._meta.db_table, ()),
        (model._history_model()._meta.db_table, ("history_id", "history_date")),
    ):
        left = raw_rows(table, "id", [one.pk for one in saved])
        right = raw_rows(table, "id", [one.pk for one in bulk])
        for a, b in zip(left, right, strict=True):
            apart = {"id", *but, *more}
            assert {k: v for k, v in b.items() if k not in apart} == {
                k: v for k, v in a.items() if k not in apart
            }
            assert {k: type(v) for k, v in b.items()} == {k: type(v) for k, v in a.items()}
    check_recorded(model, saved + bulk)


def check_recorded(model: Any, instances: list[Any]) -> None:
    """One history row each, in order, at the database's time, and one pending entry each."""
    history = list(
        model.history.filter(id__in=[one.pk for one in instances]).order_by("history_id")
    )
    assert [row.id for row in history] == [one.pk for one in instances]
    assert {tuple(getattr(row, name) for name in HISTORY) for row in history} == {
        ("+", "1", "person", "ann")
    }
    assert {row.history_change_reason for row in history} == {"why"}
    assert all(abs(timezone.now() - row.history_date) < timedelta(minutes=1) for row in history)
    pending = PendingRecord.objects.filter(record_type=model.record_type)
    recorded = list(pending.order_by("id").values_list("record_id", flat=True))
    assert [key for key in recorded if key in {row.history_id for row in history}] == [
        row.history_id for row in history
    ]


@MANY
def test_decisions_in_bulk_are_those_that_save_writes(world: World, count: int) -> None:
    made = iter(range(2 * count))

    def make(number: int) -> Decision:
        return world.decision(number, external_id=f"{next(made)}-{TEXTS[number % 12]}"[:200])

    compare(make, count, ("external_id",))


@pytest.mark.parametrize("kind", ["task", "review", "outcome"])
@pytest.mark.parametrize("count", [3, 12])
def test_tasks_reviews_and_outcomes_in_bulk_are_those_that_save_writes(
    world: World, kind: str, count: int
) -> None:
    made = iter(range(2 * count))

    def make(number: int) -> Any:
        decision = world.decision(number, external_id=f"case-{next(made)}")
        world.stored_decision = lambda _number: decision  # type: ignore[method-assign]
        decision.save(actor=ANN)
        return getattr(world, kind)(number)

    compare(make, count, ("decision_id",))


@MANY
def test_people_in_bulk_keep_their_password_out_of_the_history(world: World, count: int) -> None:
    people = []
    for number in range(count):
        person = User(id=uuid7(), username=f"p{number}", name="P", signs_in=False)
        person.set_unusable_password()
        people.append(person)
    in_bulk(people)
    columns = {field.column for field in User.history.model._meta.concrete_fields}
    assert "password" not in columns
    for person in people:
        stored = User.objects.get(pk=person.pk)
        assert (stored.password, stored.signs_in) == (person.password, False)
        newest = User.history.get(id=person.pk)
        assert newest.credential_fingerprint == stored.fingerprint_of(stored.password)
    check_recorded(User, people)


@pytest.mark.parametrize("count", [1, 12])
def test_texts_of_every_kind_come_back_as_they_were_sent(world: World, count: int) -> None:
    keys = [uuid7() for _ in range(len(TEXTS) * count)]
    texts = [TEXTS[n % len(TEXTS)] + str(n) for n in range(len(keys))]
    rows = [
        (key, "d" * 64, b"\x00\\\n\t\xff" + bytes(11), text)
        for key, text in zip(keys, texts, strict=True)
    ]
    insert_rows(Payload, {}, ["decision", "digest", "salt", "features"], rows)
    stored = Payload.objects.in_bulk(keys)
    assert [stored[key].features for key in keys] == texts
    assert {bytes(row.salt) for row in stored.values()} == {b"\x00\\\n\t\xff" + bytes(11)}
    assert {row.output for row in stored.values()} == {None}


@pytest.mark.parametrize("count", [1, 12])
def test_a_text_of_a_megabyte_is_kept_whole(world: World, count: int) -> None:
    long = "é\t\\\n" * 262_144
    keys = [uuid7() for _ in range(count)]
    rows = [(key, "d" * 64, bytes(96), long if n == 0 else "") for n, key in enumerate(keys)]
    insert_rows(Payload, {}, ["decision", "digest", "salt", "evidence"], rows)
    assert Payload.objects.get(pk=keys[0]).evidence == long


@pytest.mark.parametrize("count", [1, 12])
def test_constants_are_escaped_as_the_rows_are(world: World, count: int) -> None:
    key = uuid7()
    rows = [(f"content {n}",) for n in range(count)]
    constants = {"decision": key, "part": "a\tb\\c\nd", "salt": bytes(16)}
    insert_rows(Content, constants, ["content"], rows)
    assert set(Content.objects.values_list("part", "content")) == {
        ("a\tb\\c\nd", f"content {n}") for n in range(count)
    }


@pytest.mark.parametrize("count", [1, 12])
def test_columns_that_are_not_named_take_their_defaults(world: World, count: int) -> None:
    rows = [(uuid7(), "decision.released") for _ in range(count)]
    insert_rows(OutboxEvent, {"use_case": "loan", "created_at": MOMENT}, ["id", "type"], rows)
    stored = OutboxEvent.objects.filter(pk__in=[row[0] for row in rows])
    assert {(row.data == {}, row.seq, row.decision) for row in stored} == {(True, None, None)}
    assert len(stored) == count


def test_a_column_of_mixed_types_is_written_value_by_value(world: World) -> None:
    ids = [uuid7() for _ in range(12)]
    rows = [(key if n % 2 else str(key), "d" * 64, bytes(96)) for n, key in enumerate(ids)]
    insert_rows(Payload, {}, ["decision", "digest", "salt"], rows)
    assert Payload.objects.filter(pk__in=ids).count() == 12


def test_no_rows_write_nothing(world: World) -> None:
    before = PendingRecord.objects.count()
    insert_tracked(Outcome, {}, ["id"], [], actor=ANN)
    insert_rows(Payload, {}, ["decision"], [])
    assert (PendingRecord.objects.count(), Outcome.objects.count()) == (before, 0)


def test_without_an_actor_nothing_is_written(world: World) -> None:
    with pytest.raises(ActorRequired):
        insert_tracked(Outcome, {}, ["id"], [(uuid7(),)], actor=None)  # type: ignore[arg-type]


def test_an_unknown_column_is_refused_by_name(world: World) -> None:
    with pytest.raises(UnrecordedWrite, match="colour"):
        insert_tracked(Outcome, {"colour": 1}, ["id"], [(uuid7(),)], actor=ANN)


def test_a_tracked_model_is_refused_by_the_writer_that_keeps_no_history(world: World) -> None:
    with pytest.raises(UnrecordedWrite, match="Outcome is tracked"):
        insert_rows(Outcome, {}, ["id"], [(uuid7(),)])


@pytest.mark.parametrize("count", [2, 12])
def test_a_row_that_is_there_already_is_the_error_that_django_knows(
    world: World, count: int
) -> None:
    rows = [(UUID(int=7), "d" * 64, bytes(96)) for _ in range(count)]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(Payload, {}, ["decision", "digest", "salt"], rows)


def test_outside_a_transaction_nothing_is_written(committed_db: Any) -> None:
    with pytest.raises(UnrecordedWrite, match="transaction"):
        insert_tracked(Outcome, {}, ["id"], [(uuid7(),)], actor=ANN)


@pytest.mark.parametrize("count", [2, 12])
def test_a_row_that_breaks_a_constraint_leaves_neither_rows_nor_history(
    world: World, count: int
) -> None:
    decisions = [world.decision(n, external_id="the same") for n in range(count)]
    before = PendingRecord.objects.count()
    with pytest.raises(IntegrityError), transaction.atomic():
        in_bulk(decisions)
    assert not Decision.history.filter(id__in=[one.pk for one in decisions]).exists()
    assert PendingRecord.objects.count() == before


@pytest.mark.postgres_only
def test_a_text_with_nul_is_refused_by_the_database_as_a_whole(world: World) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("left out: SQLite would store NUL; texts that hold it are refused before")
    rows = [(uuid7(), "d" * 64, bytes(96), "a\0b") for _ in range(12)]
    with pytest.raises(DataError), transaction.atomic():
        insert_rows(Payload, {}, ["decision", "digest", "salt", "features"], rows)
    assert not Payload.objects.exists()


def test_what_the_bulk_writer_wrote_is_sealed_and_the_whole_trail_verifies(
    committed_db: Any,
) -> None:
    world = World()
    decisions = [world.decision(n, external_id=f"{n} {TEXTS[n % 12]}"[:200]) for n in range(30)]
    in_bulk(decisions)
    in_bulk([world.decision(n, external_id=f"few {n}") for n in range(3)])
    sealing.seal_all()
    assert not PendingRecord.objects.exists()
    result = verify(full=True)
    assert [f for f in result.findings if not f["table"].startswith("witness")] == []
    assert Decision.objects.count() == 33
