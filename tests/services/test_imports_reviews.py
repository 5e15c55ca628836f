"""``import_reviews``: past human verdicts; the first of a person on a case stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from apps.accounts.models import User
from apps.accounts.services import person_create
from apps.audit import sealing
from apps.audit.verification import verify
from apps.decisions.models import Decision, IngestRun
from apps.notifications.models import OutboxEvent
from apps.registry.models import UseCase
from apps.reviews.models import Review, ReviewTask
from apps.workflow.review_import import ReviewIntake
from tests.services.files import (
    CHUNK,
    cut_after,
    json_lines,
    pointers,
    rejections,
    run,
    small_chunks,
)
from tests.services.gates import LEAD, body, gate, send


@pytest.fixture
def case(db: None) -> UseCase:
    """Thirty decisions, five of which wait."""
    use_case = gate(policy={"confidence_threshold": 0.5, "reviews_required": 2})
    send(use_case, *(body(f"c{n}", confidence=0.4 if n < 5 else 0.9) for n in range(30)))
    return use_case


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with small_chunks(monkeypatch):
        yield


def verdict(
    external_id: str, reviewer: str = "ann", label: str = "deny", **more: Any
) -> dict[str, Any]:
    return {"external_id": external_id, "reviewer": reviewer, "label": label, **more}


def test_past_verdicts_become_rows_and_nothing_else_moves(case: UseCase, tmp_path: Path) -> None:
    before = (
        list(Decision.objects.order_by("id").values()),
        list(ReviewTask.objects.order_by("id").values()),
        OutboxEvent.objects.count(),
    )
    path = json_lines(
        tmp_path / "r.jsonl",
        [
            verdict("c0"),
            verdict("c0", "bob", "approve"),
            verdict("c0", "cyd"),
            verdict(
                "c1",
                reviewed_at="2026-01-02T03:04:05+01:00",
                active_seconds=30,
                initial_label="approve",
                saw_ai=True,
                confidence=0.7,
            ),
        ],
    )
    said = run("import_reviews", path)
    assert (said.code, said.counts) == (0, (4, 0, 0))
    assert set(Review.objects.values_list("imported", "use_case_id", "task")) == {
        (True, "loan", None)
    }
    full = Review.objects.get(decision__external_id="c1")
    assert full.reviewed_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert (full.label, full.initial_label, full.saw_ai) == ("deny", "approve", True)
    assert (full.active_seconds, full.confidence) == (30.0, 0.7)
    bare = Review.objects.get(decision__external_id="c0", reviewer__username="bob")
    assert (bare.label, bare.saw_ai, bare.reviewed_at) == ("approve", None, None)
    after = (
        list(Decision.objects.order_by("id").values()),
        list(ReviewTask.objects.order_by("id").values()),
        OutboxEvent.objects.count(),
    )
    assert after == before


def test_a_reviewer_not_yet_known_becomes_a_person_who_cannot_sign_in(
    case: UseCase, tmp_path: Path
) -> None:
    known = person_create(actor=LEAD, username="bob")
    path = json_lines(
        tmp_path / "r.jsonl",
        [
            verdict("c0", "  ANN "),
            verdict("c1", "ann"),
            verdict("c2", "\uff21nn"),  # a full-width A
            verdict("c0", "Bob"),
            verdict("nowhere", "ghost"),
        ],
    )
    assert run("import_reviews", path).counts == (4, 0, 1)
    ann = User.objects.get(username="ann")
    assert (ann.signs_in, ann.has_usable_password(), ann.name) == (False, False, "ANN")
    assert Review.objects.filter(reviewer=ann).count() == 3
    assert Review.objects.get(decision__external_id="c0", reviewer=known)
    assert not User.objects.filter(username="ghost").exists()
    assert User.history.get(id=ann.pk).history_user_name == "suite"


def test_a_name_of_which_no_login_can_be_made_is_rejected(case: UseCase, tmp_path: Path) -> None:
    reviewers = ["two words", "zero\u200bwidth", "\ufdfa" * 150, "fine"]
    path = json_lines(tmp_path / "r.jsonl", [verdict("c0", name) for name in reviewers])
    assert run("import_reviews", path).counts == (1, 0, 3)
    assert pointers(path) == {1: ["/reviewer"], 2: ["/reviewer"], 3: ["/reviewer"]}


def test_unknown_cases_and_labels_are_rejected(case: UseCase, tmp_path: Path) -> None:
    path = json_lines(
        tmp_path / "r.jsonl",
        [
            verdict("nowhere"),
            verdict("c1", label="maybe"),
            verdict("c2", saw_ai=False, initial_label="approve"),
            {"external_id": "c3"},
        ],
    )
    said = run("import_reviews", path)
    assert (said.code, said.counts) == (1, (0, 0, 4))
    assert pointers(path) == {
        1: ["/external_id"],
        2: ["/label"],
        3: ["/initial_label"],
        4: ["/reviewer", "/label"],
    }


def test_decisions_of_another_use_case_are_unknown_here(case: UseCase, tmp_path: Path) -> None:
    gate("other")
    path = json_lines(tmp_path / "r.jsonl", [verdict("c0")])
    assert run("import_reviews", path, use_case="other").counts == (0, 0, 1)


def test_within_a_file_the_first_stands_and_the_later_is_rejected_whatever_it_says(
    case: UseCase, tmp_path: Path, small: None
) -> None:
    bodies = [verdict(f"c{n}") for n in range(25)]
    bodies += [verdict("c3"), verdict("c4", label="approve"), verdict("c5", " Ann")]
    path = json_lines(tmp_path / "r.jsonl", bodies)
    said = run("import_reviews", path)
    assert (said.code, said.counts) == (1, (25, 0, 3))
    assert pointers(path) == {26: ["/reviewer"], 27: ["/reviewer"], 28: ["/reviewer"]}
    assert "line 4" in rejections(path)[0]["errors"][0]["detail"]
    assert Review.objects.get(decision__external_id="c4").label == "deny"


def test_in_a_later_import_the_same_is_a_duplicate_and_another_verdict_rejected(
    case: UseCase, tmp_path: Path
) -> None:
    first = [verdict("c0", confidence=0.5), verdict("c1"), verdict("c2", active_seconds=3)]
    assert run("import_reviews", json_lines(tmp_path / "1.jsonl", first)).counts == (3, 0, 0)
    path = json_lines(
        tmp_path / "2.jsonl",
        [
            verdict("c0", confidence=0.5),
            verdict("c1", label="approve"),
            verdict("c2", active_seconds=4),
            verdict("c3"),
        ],
    )
    said = run("import_reviews", path)
    assert (said.code, said.counts) == (1, (1, 1, 2))
    assert pointers(path) == {2: ["/label"], 3: ["/active_seconds"]}
    assert Review.objects.get(decision__external_id="c1").label == "deny"


def test_the_same_file_again_is_all_duplicates_but_its_own_repeats(
    case: UseCase, tmp_path: Path, small: None
) -> None:
    path = json_lines(tmp_path / "r.jsonl", [*(verdict(f"c{n}") for n in range(25)), verdict("c1")])
    assert run("import_reviews", path).counts == (25, 0, 1)
    assert run("import_reviews", path).counts == (0, 25, 1)
    assert Review.objects.count() == 25


def test_repeats_are_found_behind_the_place_of_a_cut(
    case: UseCase, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [verdict(f"c{n}") for n in range(25)]
    bodies += [verdict(f"c{n}") for n in range(5)]
    path = json_lines(tmp_path / "r.jsonl", bodies)
    with cut_after(monkeypatch, ReviewIntake, "take", 1):
        run("import_reviews", path)
    assert Review.objects.count() == CHUNK
    said = run("import_reviews", path)
    assert (said.counts, said.document["resumed_after"]) == ((25, 0, 5), CHUNK)
    assert [r["line"] for r in rejections(path)] == [26, 27, 28, 29, 30]


def test_a_verdict_given_here_does_not_stand_in_the_way_of_an_imported_one(
    case: UseCase, tmp_path: Path
) -> None:
    ann = person_create(actor=LEAD, username="ann")
    decision = Decision.objects.get(external_id="c0")
    given = Review(
        use_case=case,
        decision=decision,
        reviewer=ann,
        label="approve",
        created_at=decision.created_at,
    )
    given.save(actor=LEAD)
    path = json_lines(tmp_path / "r.jsonl", [verdict("c0")])
    assert run("import_reviews", path).counts == (1, 0, 0)


def test_a_dry_run_of_reviews_counts_and_writes_nothing(
    case: UseCase, tmp_path: Path, small: None
) -> None:
    run("import_reviews", json_lines(tmp_path / "1.jsonl", [verdict("c0"), verdict("c1")]))
    before = Review.objects.count(), User.objects.count(), IngestRun.objects.count()
    bodies = [verdict("c0"), verdict("c1", label="approve")]
    bodies += [verdict(f"c{n}", "new") for n in range(20)]
    bodies += [verdict("c7", "NEW"), verdict("nowhere")]
    path = json_lines(tmp_path / "2.jsonl", bodies)
    assert run("import_reviews", path, "--dry-run").counts == (20, 1, 3)
    assert (Review.objects.count(), User.objects.count(), IngestRun.objects.count()) == before
    assert run("import_reviews", path).counts == (20, 1, 3)


def test_verdicts_of_a_csv_are_mapped(case: UseCase, tmp_path: Path) -> None:
    mapping = tmp_path / "map.toml"
    mapping.write_text(
        'records = "reviews"\nexternal_id = "case"\n'
        'reviewer = {column = "who", prefix = "resp-"}\n'
        'label = {column = "said", values = {"0" = "approve", "1" = "deny"}}\n'
        "saw_ai = {constant = false}\n"
    )
    path = tmp_path / "r.csv"
    path.write_text("case,who,said\nc0,7,1\nc1,7,2\n")
    assert run("import_reviews", path, "--map", str(mapping)).counts == (1, 0, 1)
    review = Review.objects.get()
    assert (review.reviewer.username, review.label, review.saw_ai) == ("resp-7", "deny", False)


def test_a_mapping_of_decisions_is_refused(case: UseCase, tmp_path: Path) -> None:
    mapping = tmp_path / "map.toml"
    mapping.write_text('records = "outcomes"\nexternal_id = "a"\nlabel = "b"\n')
    path = json_lines(tmp_path / "r.jsonl", [verdict("c0")])
    with pytest.raises(CommandError, match="reviews are wanted"):
        run("import_reviews", path, "--map", str(mapping))


def test_many_unknown_reviewers_are_written_in_few_queries(
    case: UseCase, tmp_path: Path, django_assert_max_num_queries: Any
) -> None:
    path = json_lines(tmp_path / "r.jsonl", [verdict("c0", f"p{n}") for n in range(300)])
    with django_assert_max_num_queries(40):
        assert run("import_reviews", path).counts == (300, 0, 0)
    assert User.objects.filter(signs_in=False).count() == 300


def test_imported_verdicts_and_their_reviewers_are_sealed_and_verify(
    committed_db: Any, tmp_path: Path
) -> None:
    use_case = gate()
    send(use_case, *(body(f"c{n}") for n in range(10)))
    path = json_lines(tmp_path / "r.jsonl", [verdict(f"c{n}", f"p{n}") for n in range(10)])
    assert run("import_reviews", path).counts == (10, 0, 0)
    sealing.seal_all()
    found = verify(full=True).findings
    assert [f for f in found if not f["table"].startswith("witness")] == []
