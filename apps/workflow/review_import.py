"""Past human verdicts from a file: rows of their own that open no task and move no status."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.common.actor import Actor
from apps.common.errors import BadInput, FieldError
from apps.common.ids import uuid7_texts
from apps.decisions.bulk import insert_tracked
from apps.decisions.bulk.keys import among_pairs
from apps.decisions.domain.review_line import ValidReview, validate_review
from apps.registry.models import UseCase
from apps.reviews.models import Review
from apps.workflow.known import KnownCase, id_text, known_cases
from apps.workflow.lines import Packing
from apps.workflow.reviewers import known_reviewers, login_of, reviewers
from apps.workflow.taken import Taken

ATTEMPTS = 3
SAID = ("label", "initial_label", "saw_ai", "confidence", "active_seconds", "reviewed_at")
Pair = tuple[str, str]
Said = tuple[Any, ...]


class NamedReview(NamedTuple):
    """A verdict whose ``reviewer`` is a login, and the reviewer's name as it was written."""

    review: ValidReview
    name: str


Records = Sequence[tuple[int, NamedReview]]


class ReviewIntake:
    """The first verdict of a reviewer on a decision stands; a file may state it once.

    Which pairs a file has named is kept in memory, as short hashes with the line: a resumed run
    makes them again from the lines before.
    """

    variant = ""
    reads_all = True
    packing: Packing | None = None

    def __init__(self, use_case: UseCase) -> None:
        self._slug, self._labels = use_case.slug, tuple(use_case.labels)
        self._now = timezone.now()
        self._lines: dict[bytes, int] = {}

    def check(self, line: int, body: dict[str, Any]) -> NamedReview:
        if body.get("use_case") == self._slug:
            del body["use_case"]
        review = validate_review(body, self._labels, self._now)
        named = NamedReview(
            review._replace(reviewer=login_of(review.reviewer)), review.reviewer.strip()
        )
        self._refuse_repeat(line, named.review)
        return named

    def _refuse_repeat(self, line: int, review: ValidReview) -> None:
        pair = f"{review.reviewer}\0{review.external_id}".encode()
        first = self._lines.setdefault(hashlib.blake2b(pair, digest_size=16).digest(), line)
        if first != line:
            detail = f"{review.reviewer} on {review.external_id!r} stands on line {first} already"
            raise BadInput(f"{detail}: the first verdict counts", "/reviewer")

    def make_ready(self) -> None:
        """Nothing: what was true or said holds no lock of a use case."""

    def take(self, actor: Actor, records: Records) -> list[Taken]:
        for attempt in range(ATTEMPTS):
            try:
                with transaction.atomic():
                    return self._take(actor, records)
            except IntegrityError:
                # Somebody else added the same person or verdict at this moment: it is there now.
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _take(self, actor: Actor, records: Records) -> list[Taken]:
        cases = self._cases(records)
        names = {
            review.reviewer: name
            for _line, (review, name) in reversed(records)  # the first spelling is kept
            if review.external_id in cases
        }
        people = reviewers(actor, names)
        taken, new = self._sorted(records, cases, people)
        self._write(actor, new, cases, people)
        return taken

    def preview(self, records: Records) -> list[Taken]:
        people = known_reviewers(list({review.reviewer for _line, (review, _) in records}))
        return self._sorted(records, self._cases(records), people)[0]

    def _cases(self, records: Records) -> dict[str, KnownCase]:
        return known_cases(self._slug, list({review.external_id for _line, (review, _) in records}))

    def _sorted(
        self,
        records: Records,
        cases: Mapping[str, KnownCase],
        people: Mapping[str, str],
    ) -> tuple[list[Taken], list[ValidReview]]:
        """What becomes of each line, and the verdicts that are new."""
        named = [review for _line, (review, _name) in records]
        pairs = {
            (cases[r.external_id].id, people[r.reviewer]): None
            for r in named
            if r.external_id in cases and r.reviewer in people
        }
        standing = _standing(list(pairs))
        taken, new = [], []
        for (line, _record), review in zip(records, named, strict=True):
            case = cases.get(review.external_id)
            if case is None:
                errors = (_unknown(self._slug, review.external_id),)
                taken.append(Taken(line, "rejected", review.external_id, errors=errors))
                continue
            said = standing.get((case.id, people.get(review.reviewer, "")))
            taken.append(_became(line, review, said))
            if said is None:
                new.append(review)
        return taken, new

    def _write(
        self,
        actor: Actor,
        new: Sequence[ValidReview],
        cases: Mapping[str, KnownCase],
        people: Mapping[str, str],
    ) -> None:
        rows = [
            (key, cases[review.external_id].id, people[review.reviewer], *_said(review))
            for key, review in zip(uuid7_texts(len(new)), new, strict=True)
        ]
        constants = {"use_case_id": self._slug, "imported": True, "created_at": timezone.now()}
        varying = ["id", "decision_id", "reviewer_id", *SAID]
        insert_tracked(Review, constants, varying, rows, actor=actor)


def _said(review: ValidReview) -> Said:
    seconds = review.active_seconds
    return (
        review.label,
        review.initial_label,
        review.saw_ai,
        review.confidence,
        None if seconds is None else float(seconds),
        review.reviewed_at,
    )


def _standing(pairs: Sequence[Pair]) -> dict[Pair, Said]:
    """What imported verdicts of these people on these decisions say."""
    condition, keys = among_pairs("decision_id", "reviewer_id", pairs)
    rows = Review.objects.filter(imported=True).extra(where=[condition], params=keys)  # noqa: S610
    found = rows.values_list("decision_id", "reviewer_id", *SAID)
    return {(id_text(row[0]), id_text(row[1])): row[2:] for row in found}


def _became(line: int, review: ValidReview, standing: Said | None) -> Taken:
    if standing is None:
        return Taken(line, "accepted", review.external_id)
    differing = [name for name, a, b in zip(SAID, standing, _said(review), strict=True) if a != b]
    if not differing:
        return Taken(line, "duplicate", review.external_id)
    detail = f"{review.reviewer} on {review.external_id!r} was taken in before with another"
    error = FieldError(f"/{differing[0]}", f"{detail} {', '.join(differing)}: the first stands")
    return Taken(line, "rejected", review.external_id, errors=(error,))


def _unknown(slug: str, external_id: str) -> FieldError:
    return FieldError("/external_id", f"there is no decision {external_id!r} in {slug}")
