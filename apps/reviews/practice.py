"""Skills do not rust: a qualification whose holder had no case for too long lapses, and says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from apps.accounts.models import Qualification, User
from apps.accounts.qualifications import qualification_end
from apps.common.actor import Actor
from apps.common.columns import ModelColumns, fetched
from apps.common.errors import Conflict
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.reviews.models import Review

SWEEPER = Actor.system("desk")
# One look at an index for each pair: reading a person's verdicts for the newest takes as long as
# they have been here.
_LAST_CASES = """
    SELECT p.id, u.slug, (
        SELECT max(r.reviewed_at) FROM reviews_review r
        WHERE r.reviewer_id = p.id AND r.use_case_id = u.slug AND NOT r.imported AND NOT r.machine)
    FROM accounts_user p CROSS JOIN registry_usecase u {of}
"""
_LAST: ModelColumns[Review] = ModelColumns(Review, "reviewer", "use_case", "reviewed_at")
_KEY: Any = User._meta.pk


class Asked(NamedTuple):
    """A use case whose policy in force asks for a skill; ``days`` without a case end it."""

    use_case: str
    days: int | None


def qualifications_lapse(now: datetime) -> int:
    """End each qualification that is over or was not practised for the policy's days; how many.

    Safe to run twice: what has ended is not found again.
    """
    asked, ended = asked_skills(), 0
    held = Qualification.objects.filter(status="held").select_related("user").order_by("pk")
    cases = last_cases()
    for row in held.iterator():
        evidence = _over(row, now) or _unpractised(row, asked.get(row.skill, ()), cases, now)
        if evidence is not None:
            ended += _end(row, evidence)
    return ended


def _end(row: Qualification, evidence: dict[str, Any]) -> int:
    try:
        qualification_end(
            actor=SWEEPER,
            qualification=row,
            status="lapsed",
            reason=evidence["why"],
            evidence=evidence,
        )
    except Conflict:  # ended by a person at this moment
        return 0
    return 1


def _over(row: Qualification, now: datetime) -> dict[str, Any] | None:
    if row.valid_until is None or now < row.valid_until:
        return None
    return {"why": "its time is over", "valid_until": row.valid_until.isoformat()}


class Practice(NamedTuple):
    """When a skill was last used, and when it lapses unless it is used before."""

    days: int
    last: datetime
    until: datetime


def practice_of(
    row: Qualification, asked: Sequence[Asked], cases: Mapping[tuple[Any, str], datetime]
) -> Practice | None:
    """None where no pause ends it. Where several use cases ask for the skill, the longest of their
    pauses is allowed."""
    places = [place for place in asked if row.use_case in ("", place.use_case)]
    limits = [place.days for place in places]
    if not limits or None in limits:
        return None
    days = max(limit for limit in limits if limit is not None)
    last = last_practice(row.granted_at, [cases.get((row.user_id, p.use_case)) for p in places])
    return Practice(days, last, last + timedelta(days=days))


def _unpractised(
    row: Qualification,
    asked: Sequence[Asked],
    cases: Mapping[tuple[Any, str], datetime],
    now: datetime,
) -> dict[str, Any] | None:
    found = practice_of(row, asked, cases)
    if found is None or now < found.until:
        return None
    why = f"{found.days} days without a case"
    return {"why": why, "days": found.days, "last": found.last.isoformat()}


def last_practice(granted_at: datetime, cases: Sequence[datetime | None]) -> datetime:
    """When a skill was last used: the newest of the cases and of its grant."""
    return max([granted_at, *(moment for moment in cases if moment is not None)])


def asked_skills() -> dict[str, list[Asked]]:
    """Skill -> the use cases whose policies in force ask for it."""
    found: dict[str, list[Asked]] = defaultdict(list)
    active = PolicyVersion.objects.filter(status=PolicyStatus.ACTIVE)
    for slug, document in active.values_list("use_case_id", "document"):
        for skill in document.get("skills", ()):
            found[skill].append(Asked(slug, document.get("practice_days")))
    return found


def last_cases(people: Collection[Any] | None = None) -> dict[tuple[Any, str], datetime]:
    """(person, use case) -> their newest verdict here, of all ``people`` (keys) where None. What
    was imported was given elsewhere."""
    keys = [*people] if people is not None else []
    if people is not None and not keys:
        return {}
    of = "" if people is None else f"WHERE p.id IN ({', '.join(['%s'] * len(keys))})"
    rows = fetched(_LAST_CASES.format(of=of), [_KEY.get_db_prep_value(k, connection) for k in keys])
    found = (_LAST.values(row) for row in rows if row[2] is not None)
    return {(person, slug): last for person, slug, last in found}
