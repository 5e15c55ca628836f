"""Exceptions: decisions that were not handled as their policy demanded, as the rows show it.

Whether records are sealed changes without a change of the day's rows: that is looked at when a
report is made, and is not in the cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings

from apps.accounts.models import Qualification, User
from apps.decisions.domain.content import subject_pseudonym
from apps.metrics.cells.judging import is_human
from apps.metrics.cells.reading import Chunk, Task, Verdict
from apps.metrics.cells.tracing import Traced
from apps.metrics.domain.compliance import SHOWN, Breach, counted
from apps.metrics.domain.tables import Table, table_of
from apps.metrics.kinds.compliance import breaches_of
from apps.policies.models import PolicyVersion
from apps.registry.models import UseCase
from apps.reviews.domain.eligibility import qualified

SAYING: Final = ("confirm", "change", "answer", "withhold")
IN_COMMAND: Final = "HIC"


class Rules(NamedTuple):
    """What a policy version asks for."""

    level: str
    skills: tuple[str, ...]
    combination: str

    def least(self, required: int) -> int:
        """The reviews that settle a task at least: a majority may be reached before the end."""
        return required // 2 + 1 if self.combination == "majority" else required


@dataclass(slots=True)
class Facts:
    """What exceptions are judged by besides a chunk's rows; read once for a build."""

    use_case: UseCase
    policies: dict[str, Rules] = field(default_factory=dict)
    logins: dict[UUID, str] = field(default_factory=dict)
    skills: dict[UUID, list[tuple[datetime, str, str, str, datetime | None]]] = field(
        default_factory=dict
    )

    def learn(self, chunk: Chunk) -> None:
        """Read what is not known yet of the chunk's policies and reviewers."""
        keys = set(chunk.decisions.policy) - self.policies.keys()
        for key in keys:
            policy = PolicyVersion.objects.get(pk=key)
            document = policy.document
            skills = tuple(document.get("skills", ()))
            self.policies[key] = Rules(policy.level, skills, document.get("combination", "single"))
        people = {one.reviewer_id for one in chunk.reviews if not one.imported}
        people -= self.logins.keys()
        if not people:
            return
        self.logins.update(User.objects.filter(pk__in=people).values_list("pk", "username"))
        for person in people:
            self.skills[person] = []
        held = Qualification.history.filter(
            user_id__in=people, use_case__in=("", self.use_case.slug)
        ).order_by("history_id")
        for person, at, *rest in held.values_list(
            "user_id", "history_date", "skill", "use_case", "status", "valid_until"
        ):
            skill, where, status, until = rest
            self.skills[person].append((at, skill, where, status, until))

    def lacking(self, review: Verdict, needed: Iterable[str], at: datetime) -> list[str]:
        """The skills that a reviewer did not hold at a moment, as they were recorded by then."""
        newest: dict[tuple[str, str], tuple[str, datetime | None]] = {}
        for since, skill, place, status, until in self.skills.get(review.reviewer_id, ()):
            if since <= at:
                newest[skill, place] = (status, until)
        held: dict[str, datetime | None] = {}
        for (skill, _where), (status, until) in newest.items():
            if status == "held":
                known = held.get(skill, until)
                held[skill] = None if known is None or until is None else max(known, until)
        return qualified(needed, held, at)

    def pseudonym(self, person: UUID) -> str:
        key = str(settings.PSEUDONYM_KEY).encode()
        return subject_pseudonym(key, self.use_case.slug, self.logins.get(person, ""))


def breach_tables(chunk: Chunk, facts: Facts, traced: Traced) -> dict[str, Table]:
    """The exceptions of a chunk, one row each, and how many there are."""
    facts.learn(chunk)
    found = [*_breaches(chunk, facts), *traced.breaches]
    counts = counted(found)
    kinds = [*counts.by_kind, None]
    return {
        "breaches": _listed(set(found)),
        "counts": table_of(
            {"kind": kinds},
            {
                "decisions": [*counts.by_kind.values(), counts.affected],
                "n": [*(counts.exceptions[kind] for kind in counts.by_kind), counts.total],
            },
        ),
    }


def _listed(found: Iterable[Breach]) -> Table:
    rows = sorted(found, key=lambda one: (one.kind, one.decision, one.detail))
    return table_of(
        {
            "kind": [one.kind for one in rows],
            "decision": [one.decision for one in rows],
            "detail": [one.detail for one in rows],
        },
        {"n": [1] * len(rows)},
    )


def first_listed(table: Table) -> Table:
    """The exceptions that a report may come to list, the first of a day: the counts hold them all."""
    if len(table) <= SHOWN:
        return table
    return _listed(sorted(breaches_of(table), key=lambda one: (one.kind, one.decision))[:SHOWN])


def _breaches(chunk: Chunk, facts: Facts) -> Iterator[Breach]:
    reviews: dict[int, list[Verdict]] = defaultdict(list)
    for review in chunk.reviews:
        reviews[review.place].append(review)
    tasks: dict[int, list[Task]] = defaultdict(list)
    for task in chunk.tasks:
        tasks[task.place].append(task)
    yield from _unseen(chunk, reviews, tasks)
    yield from _outside(chunk, facts)
    for task in chunk.tasks:
        yield from _of_task(chunk, task, reviews[task.place], facts)
    for review in chunk.reviews:
        yield from _of_review(chunk, review, facts)


def _unseen(
    chunk: Chunk, reviews: Mapping[int, list[Verdict]], tasks: Mapping[int, list[Task]]
) -> Iterator[Breach]:
    """Released from the lane of review, no person having said so; the fallback has its own kind."""
    rows = chunk.decisions
    for place, (lane, status, past) in enumerate(
        zip(rows.lane, rows.status, rows.past, strict=True)
    ):
        if lane != "review" or status != "released" or past:
            continue
        if any(is_human(one) and one.verdict in SAYING for one in reviews.get(place, ())):
            continue
        key = str(UUID(rows.key[place]))
        if any(task.status == "lapsed" for task in tasks.get(place, ())):
            yield Breach("fallback_released", key, "its time ran out and the fallback released it")
        else:
            yield Breach("released_without_review", key, "no person's verdict is on record")


def _outside(chunk: Chunk, facts: Facts) -> Iterator[Breach]:
    rows = chunk.decisions
    released = (
        place for place, lane in enumerate(rows.lane) if lane in ("automatic", "supervised")
    )
    for place in released:
        rules = facts.policies.get(rows.policy[place])
        if rules is None or rules.level != IN_COMMAND or rows.past[place]:
            continue
        if rows.mandate[place] is None:
            yield Breach("outside_mandate", str(UUID(rows.key[place])), "no mandate released it")


def _of_task(chunk: Chunk, task: Task, reviews: list[Verdict], facts: Facts) -> Iterator[Breach]:
    key = str(UUID(chunk.decisions.key[task.place]))
    ended = task.closed_at if task.status in ("closed", "lapsed") else None
    if task.due_at is not None and ended is not None and ended > task.due_at:
        late = round((ended - task.due_at).total_seconds())
        yield Breach("sla_lapsed", key, f"its task ended {late} s after its time limit")
    said = [one for one in reviews if one.task_id == task.id and is_human(one)]
    if task.kind != "before" or task.status != "closed":
        return
    if any(one.stage == "adjudication" and one.verdict in SAYING for one in said):
        return
    people = {one.reviewer_id for one in said if one.verdict in SAYING}
    least = facts.policies[chunk.decisions.policy[task.place]].least(task.reviews_required)
    if 0 < len(people) < least:
        detail = f"{len(people)} of {least} reviews"
        yield Breach("too_few_reviews", key, detail)


def _of_review(chunk: Chunk, review: Verdict, facts: Facts) -> Iterator[Breach]:
    """Past verdicts were given elsewhere: no skill was asked for."""
    if review.imported or review.machine or not review.final:
        return
    rows, place = chunk.decisions, review.place
    key, person = str(UUID(rows.key[place])), review.reviewer_id
    if rows.submitted_by[place] == str(person):
        yield Breach("interested_reviewer", key, f"reviewer {person} submitted it")
    elif rows.subject_pseudonym[place] is not None and rows.subject_pseudonym[
        place
    ] == facts.pseudonym(person):
        yield Breach("interested_reviewer", key, f"reviewer {person} is its subject")
    rules = facts.policies.get(rows.policy[place])
    if rules is None or not rules.skills or review.stage != "review":
        return
    lacking = facts.lacking(review, rules.skills, review.reviewed_at or review.created_at)
    if lacking:
        detail = f"reviewer {person} lacked {', '.join(lacking)}"
        yield Breach("unqualified_reviewer", key, detail)
