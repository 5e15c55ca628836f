"""The people of a desk: what they hold and have done, their skills and practice, who is away."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet

from apps.accounts.domain.matrix import ACTIONS
from apps.accounts.models import Qualification, RoleGrant, User
from apps.reviews.domain.intervals import wilson
from apps.reviews.models import Absence, Review
from apps.reviews.practice import Practice, asked_skills, last_cases, practice_of
from apps.reviews.selectors import PersonState, people_states

PEOPLE: Final = 50
SKILLS: Final = 50
ABSENCES: Final = 100
STATUSES: Final = ("held", "lapsed", "lost", "revoked")
_PERSON: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Known:
    """Right answers to known cases, ``n`` of them, with the 95 % interval of the share."""

    right: int
    n: int

    @property
    def share(self) -> float:
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.right, self.n)


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person at the desk: load now and of the last day, last case, known answers, absence."""

    person: User
    roles: Sequence[RoleGrant]
    state: PersonState | None
    last_case: datetime | None
    known: Known | None
    absence: Absence | None


@dataclass(frozen=True, slots=True)
class SkillRow:
    """A skill that somebody holds or held. ``practice``: when it lapses unless it is used."""

    held: Qualification
    granted_by: str
    practice: Practice | None
    is_soon: bool
    may_revoke: bool
    ended: str


Slugs = Collection[str] | None


def people_at(slugs: Slugs) -> QuerySet[User]:
    """Who may review there by their role, or holds a skill there; by name."""
    grants = RoleGrant.objects.filter(role__in=ACTIONS["review.do"].roles)
    skilled = Qualification.objects.filter(status="held")
    if slugs is not None:
        grants = grants.filter(use_case__in=["", *slugs])
        skilled = skilled.filter(use_case__in=["", *slugs])
    either = Q(pk__in=grants.values("user")) | Q(pk__in=skilled.values("user"))
    found: QuerySet[User] = User.objects.filter(either, is_active=True, signs_in=True)
    return found.order_by("name", "username")


def people_page(slugs: Slugs, number: str | None, now: datetime) -> Page[Any]:
    """A page of people with their figures: a fixed number of queries."""
    page: Page[Any] = Paginator(people_at(slugs), PEOPLE).get_page(number)
    people = list(page.object_list)
    keys = [person.pk for person in people]
    states = {state.person: state for state in people_states(now, slugs)}
    roles, known, away = _roles(keys, slugs), _known(keys, slugs), _away(keys, now)
    newest = _newest(last_cases(keys), slugs)
    page.object_list = [
        PersonRow(
            person,
            roles[person.pk],
            states.get(person.pk),
            newest.get(person.pk),
            known.get(person.pk),
            away.get(person.pk),
        )
        for person in people
    ]
    return page


def _roles(keys: Sequence[Any], slugs: Slugs) -> dict[Any, list[RoleGrant]]:
    found: dict[Any, list[RoleGrant]] = defaultdict(list)
    rows = RoleGrant.objects.filter(user__in=keys, role__in=ACTIONS["review.take"].roles)
    for grant in rows.order_by("role", "use_case"):
        if slugs is None or grant.use_case in ("", *slugs):
            found[grant.user_id].append(grant)
    return found


def _newest(cases: Mapping[tuple[Any, str], datetime], slugs: Slugs) -> dict[Any, datetime]:
    found: dict[Any, datetime] = {}
    for (person, slug), at in cases.items():
        if slugs is None or slug in slugs:
            found[person] = max(at, found.get(person, at))
    return found


def _known(keys: Sequence[Any], slugs: Slugs) -> dict[Any, Known]:
    rows = Review.objects.filter(reviewer__in=keys, task__kind="known", right__isnull=False)
    rows = rows if slugs is None else rows.filter(use_case__in=slugs)
    counted = rows.values("reviewer_id").annotate(
        n=Count("pk"), hits=Count("pk", filter=Q(right=True))
    )
    return {row["reviewer_id"]: Known(row["hits"], row["n"]) for row in counted}


def _away(keys: Sequence[Any], now: datetime) -> dict[Any, Absence]:
    """The absence that runs, else the next one."""
    rows = Absence.objects.filter(person__in=keys, ends_at__gt=now).select_related("delegate")
    return {row.person_id: row for row in rows.order_by("-starts_at")}


# --- Skills ---------------------------------------------------------------------------------


def skills_of(slugs: Slugs, wanted: Mapping[str, str]) -> QuerySet[Qualification]:
    """Skills that count there; by person. ``wanted``: ``status``, ``q`` (a login or skill)."""
    rows: QuerySet[Qualification] = Qualification.objects.select_related("user")
    rows = rows if slugs is None else rows.filter(use_case__in=["", *slugs])
    rows = rows.filter(status=wanted.get("status") or "held")
    if text := wanted.get("q"):
        rows = rows.filter(
            Q(user__username__icontains=text) | Q(user__name__icontains=text) | Q(skill=text)
        )
    return rows.order_by("user__name", "skill", "use_case")


def skill_rows(rows: Sequence[Qualification], slugs: Slugs, now: datetime) -> list[SkillRow]:
    """Skills of a page, each with its practice; ``slugs``: where the reader may revoke them."""
    asked, cases = asked_skills(), last_cases({row.user_id for row in rows})
    names = actor_names(row.granted_by for row in rows)
    found = []
    for row in rows:
        practice = practice_of(row, asked.get(row.skill, ()), cases)
        found.append(
            SkillRow(
                row,
                names.get(row.granted_by, row.granted_by),
                practice if row.status == "held" else None,
                practice is not None
                and practice.until - now < (practice.until - practice.last) / 4,
                row.status == "held" and (slugs is None or row.use_case in slugs),
                ended_words(row),
            )
        )
    return found


def ended_words(row: Qualification) -> str:
    """What ended a skill: the pause, or the interval that showed too few right answers."""
    evidence = row.evidence or {}
    if told := evidence.get("known_answers"):
        return (
            f"{told['value']:.0%} of {told['n']} known answers right "
            f"({told['low']:.0%} to {told['high']:.0%}); the floor is {told['floor']:.0%}"
        )
    return str(evidence.get("why", ""))


def actor_names(ids: Iterable[str]) -> dict[str, str]:
    """Actor id -> name, of people; programs and commands go by their ids."""
    keys = {one for one in ids if _PERSON.fullmatch(one)}
    return {str(user.pk): user.name for user in User.objects.filter(pk__in=keys)}


def absences_now(now: datetime) -> list[Absence]:
    """Absences that run or come, the next first."""
    rows = Absence.objects.filter(ends_at__gt=now).select_related("person", "delegate")
    return list(rows.order_by("starts_at")[:ABSENCES])


def places_for(slugs: Slugs, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Where a skill can be granted: everywhere only by who leads everywhere."""
    everywhere = [("", "All use cases")] if slugs is None else []
    return [*everywhere, *((slug, name) for slug, name in names.items())]


def skills_asked(slugs: Slugs) -> list[str]:
    """The skills that policies in force ask for, for a form to propose."""
    return sorted(
        skill
        for skill, places in asked_skills().items()
        if slugs is None or any(place.use_case in slugs for place in places)
    )
