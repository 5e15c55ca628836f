"""``import_outcomes`` and ``outcome_record``: what turned out to be true; the newest counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.audit import sealing
from apps.audit.verification import verify
from apps.common.errors import BadInput, Conflict
from apps.decisions.domain.content import commitment
from apps.decisions.models import Content, Decision, IngestRun
from apps.outcomes.models import Outcome
from apps.outcomes.services import outcome_record
from apps.registry.models import UseCase
from apps.workflow.outcome_import import OutcomeIntake
from tests.services.files import cut_after, json_lines, pointers, run, small_chunks
from tests.services.gates import LEAD, body, gate, send

THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def case(db: None) -> UseCase:
    use_case = gate()
    send(use_case, *(body(f"c{n}") for n in range(30)))
    return use_case


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with small_chunks(monkeypatch):
        yield


def truth(external_id: str, label: str = "approve", **more: Any) -> dict[str, Any]:
    return {"external_id": external_id, "label": label, **more}


def labels_of(external_id: str) -> list[str | None]:
    rows = Outcome.objects.filter(decision__external_id=external_id).order_by("id")
    return list(rows.values_list("label", flat=True))


# --- From a file ----------------------------------------------------------------------------


def test_each_line_becomes_an_outcome_that_says_whether_the_ai_was_right(
    case: UseCase, tmp_path: Path
) -> None:
    path = json_lines(
        tmp_path / "o.jsonl",
        [
            truth("c0"),
            truth("c1", "deny", source="appeal", satisfaction=0.25),
            truth("c2", observed_at="2026-01-02T03:04:05Z"),
        ],
    )
    said = run("import_outcomes", path)
    assert (said.code, said.counts) == (0, (3, 0, 0))
    rows = Outcome.objects.order_by("id").values_list(
        "label", "correct", "source", "satisfaction", "observed_at", "use_case_id"
    )
    assert list(rows) == [
        ("approve", True, "observed", None, None, "loan"),
        ("deny", False, "appeal", 0.25, None, "loan"),
        ("approve", True, "observed", None, THEN, "loan"),
    ]


def test_where_no_model_had_spoken_nothing_was_right_or_wrong(
    case: UseCase, tmp_path: Path
) -> None:
    send(case, {**body("open"), "output": None})
    path = json_lines(tmp_path / "o.jsonl", [truth("open")])
    assert run("import_outcomes", path).counts == (1, 0, 0)
    assert Outcome.objects.get().correct is None


def test_an_outcome_equal_to_the_newest_is_a_duplicate_and_another_a_new_row(
    case: UseCase, tmp_path: Path, small: None
) -> None:
    bodies = [truth(f"c{n}") for n in range(12)]
    bodies += [truth("c0"), truth("c0", "deny"), truth("c0", "deny"), truth("c0")]
    bodies += [truth("c1", source="audit"), truth("c2", satisfaction=1)]
    path = json_lines(tmp_path / "o.jsonl", bodies)
    said = run("import_outcomes", path)
    assert (said.code, said.counts) == (0, (16, 2, 0))
    assert labels_of("c0") == ["approve", "deny", "approve"]
    later = json_lines(tmp_path / "later.jsonl", [truth("c0"), truth("c3", "deny")])
    assert run("import_outcomes", later).counts == (1, 1, 0)
    assert labels_of("c3") == ["approve", "deny"]


def test_unknown_cases_and_labels_are_rejected_by_name(case: UseCase, tmp_path: Path) -> None:
    path = json_lines(
        tmp_path / "o.jsonl",
        [truth("nowhere"), truth("c0", "maybe"), truth("c1", source="rumour"), truth("c2")],
    )
    said = run("import_outcomes", path)
    assert (said.code, said.counts) == (1, (1, 0, 3))
    assert pointers(path) == {1: ["/external_id"], 2: ["/label"], 3: ["/source"]}


def test_the_truth_of_another_kind_of_output_is_not_a_label(db: None, tmp_path: Path) -> None:
    use_case = gate(kinds=["label", "number"])
    send(use_case, {**body("n"), "kind": "number", "output": {"value": 3}}, body("l"))
    path = json_lines(tmp_path / "o.jsonl", [truth("n"), truth("l", use_case="loan")])
    assert run("import_outcomes", path).counts == (1, 0, 1)
    assert pointers(path) == {1: ["/label"]}


def test_an_import_of_outcomes_that_was_cut_off_goes_on(
    case: UseCase, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = json_lines(tmp_path / "o.jsonl", [truth(f"c{n}") for n in range(30)])
    with cut_after(monkeypatch, OutcomeIntake, "take", 1):
        run("import_outcomes", path)
    said = run("import_outcomes", path)
    assert (said.counts, said.document["resumed_after"]) == ((30, 0, 0), 10)
    assert Outcome.objects.count() == 30
    assert run("import_outcomes", path).counts == (0, 30, 0)


def test_a_dry_run_of_outcomes_counts_and_writes_nothing(
    case: UseCase, tmp_path: Path, small: None
) -> None:
    bodies = [truth(f"c{n}") for n in range(12)]
    bodies += [truth("c0"), truth("c0", "deny"), truth("nowhere")]
    path = json_lines(tmp_path / "o.jsonl", bodies)
    assert run("import_outcomes", path, "--dry-run").counts == (13, 1, 1)
    assert not Outcome.objects.exists()
    assert not IngestRun.objects.exists()
    assert run("import_outcomes", path).counts == (13, 1, 1)


def test_imported_outcomes_are_sealed_and_verify(committed_db: Any, tmp_path: Path) -> None:
    use_case = gate()
    send(use_case, *(body(f"c{n}") for n in range(10)))
    path = json_lines(tmp_path / "o.jsonl", [truth(f"c{n}") for n in range(10)])
    assert run("import_outcomes", path).counts == (10, 0, 0)
    sealing.seal_all()
    found = verify(full=True).findings
    assert [f for f in found if not f["table"].startswith("witness")] == []


# --- One by one -----------------------------------------------------------------------------


def decision(use_case: UseCase, kind: str, output: dict[str, Any] | None) -> Decision:
    (taken,) = send(use_case, {**body(kind), "kind": kind, "output": output})
    found: Decision = Decision.objects.get(pk=taken.id)
    return found


@pytest.fixture
def kinds(db: None) -> UseCase:
    return gate(kinds=["label", "number", "fields", "text", "action"], tolerance="0.5")


def record(one: Decision, **given: Any) -> Any:
    return outcome_record(actor=LEAD, decision=one, **given)


def test_a_label_is_right_when_it_is_the_true_one(kinds: UseCase) -> None:
    one = decision(kinds, "label", {"label": "deny"})
    found = record(one, label="approve", source="audit", observed_at=THEN, satisfaction=1)
    assert found.is_new
    row = Outcome.objects.get()
    assert (row.label, row.correct, row.source, row.observed_at, row.satisfaction) == (
        "approve",
        False,
        "audit",
        THEN,
        1.0,
    )
    assert Outcome.history.get().history_user_name == "lead"


@pytest.mark.parametrize(
    ("true", "correct"), [({"value": 3.5}, True), ({"value": 3.6}, False), ({"value": 3}, True)]
)
def test_a_number_is_right_within_the_tolerance(kinds: UseCase, true: Any, correct: bool) -> None:
    one = decision(kinds, "number", {"value": 3, "low": 1, "high": 9, "confidence": 0.9})
    row = record(one, output=true).outcome
    content = Content.objects.get(decision=one.pk)
    assert (row.correct, row.label) == (correct, None)
    assert row.output_commitment == commitment(bytes(content.salt), content.content.encode())


def test_fields_are_right_field_by_field(kinds: UseCase) -> None:
    said = {"fields": {"total": {"value": 10, "confidence": 0.9}, "name": {"value": "A"}}}
    one = decision(kinds, "fields", said)
    right = record(one, output={"fields": {"total": 10.4, "name": "A "}})
    wrong = record(one, output={"fields": {"total": 10.4, "name": "B"}})
    assert (right.outcome.correct, wrong.outcome.correct) == (True, False)


@pytest.mark.parametrize(
    ("kind", "output"),
    [("text", {"text": "hello"}), ("action", {"name": "pay", "arguments": {"n": 1}})],
)
def test_of_a_text_or_an_action_a_person_says_whether_it_was_right(
    kinds: UseCase, kind: str, output: dict[str, Any]
) -> None:
    one = decision(kinds, kind, output)
    assert record(one, correct=False).outcome.correct is False


@pytest.mark.parametrize(
    ("kind", "given", "pointers"),
    [
        ("label", {}, ["/label"]),
        ("label", {"label": "maybe"}, ["/label"]),
        ("label", {"output": {"label": "deny"}}, ["/output", "/label"]),
        ("label", {"label": "deny", "correct": True}, ["/correct"]),
        ("number", {"label": "deny"}, ["/label", "/output"]),
        ("number", {"output": {"value": "3"}}, ["/output/value"]),
        ("number", {"output": 3}, ["/output"]),
        ("text", {"output": {"text": "a"}}, ["/output", "/correct"]),
        ("text", {"correct": 1}, ["/correct"]),
        ("label", {"label": "deny", "source": "rumour"}, ["/source"]),
        ("label", {"label": "deny", "satisfaction": 1.5}, ["/satisfaction"]),
        ("label", {"label": "deny", "observed_at": timedelta(days=1)}, ["/observed_at"]),
        ("label", {"label": "deny", "observed_at": datetime(2026, 1, 2)}, ["/observed_at"]),
    ],
)
def test_a_wrong_statement_is_refused_at_its_place(
    kinds: UseCase, kind: str, given: dict[str, Any], pointers: list[str]
) -> None:
    outputs = {"label": {"label": "deny"}, "number": {"value": 3}, "text": {"text": "a"}}
    one = decision(kinds, kind, outputs[kind])
    if isinstance(given.get("observed_at"), timedelta):
        given = {**given, "observed_at": timezone.now() + given["observed_at"]}
    with pytest.raises(BadInput) as refused:
        record(one, **given)
    assert [error.pointer for error in refused.value.errors] == pointers
    assert not Outcome.objects.exists()


def test_the_same_truth_again_is_the_row_that_stands(kinds: UseCase) -> None:
    one = decision(kinds, "number", {"value": 3})
    first = record(one, output={"value": 4})
    again = record(one, output={"value": 4.0})
    assert (again.is_new, again.outcome.pk) == (False, first.outcome.pk)
    assert record(one, output={"value": 5}).is_new
    assert record(one, output={"value": 4}).is_new  # what was true before the newest is news
    assert (Outcome.objects.count(), Content.objects.count()) == (3, 3)


def test_a_truth_where_no_model_had_spoken_is_kept_without_a_judgement(kinds: UseCase) -> None:
    one = decision(kinds, "number", None)
    assert record(one, output={"value": 4}).outcome.correct is None


def test_an_output_that_was_erased_cannot_be_compared(kinds: UseCase, monkeypatch: Any) -> None:
    one = decision(kinds, "number", {"value": 3})
    from apps.outcomes import services

    monkeypatch.setattr(services.Payload, "objects", services.Payload.objects.none())
    with pytest.raises(Conflict, match="erased"):
        record(one, output={"value": 4})


def test_the_statement_locks_its_decision(kinds: UseCase) -> None:
    one = decision(kinds, "label", {"label": "deny"})
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        record(one, label="deny")
    locked = [q["sql"] for q in seen if "FOR NO KEY UPDATE" in q["sql"]]
    assert len(locked) == (1 if connection.vendor == "postgresql" else 0)
