"""Pools: who may take a seat, made on demand, and which of them one person may serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from apps.accounts.callers import Caller, caller_of_user
from apps.accounts.domain.matrix import ACTIONS
from apps.accounts.models import ServiceKey, User
from apps.accounts.qualifications import Held, held_in, skills_by_use_case
from apps.common.actor import Actor
from apps.common.columns import ModelColumns, fetched
from apps.decisions.domain.content import subject_pseudonym
from apps.policies.domain.validation import content_hash
from apps.registry.access import rights_held_by_others
from apps.registry.models import Lifecycle
from apps.reviews.domain.eligibility import qualified
from apps.reviews.models import Pool

# What a pool of a role asks for beside the role itself; "" is a pool for whoever may review.
ROLE_ACTIONS: Final = {
    "": "review.do",
    "reviewer": "review.do",
    "senior_reviewer": "review.adjudicate",
    "supervisor": "decision.intervene",
    "commander": "decision.command",
}
RIGHTS: Final = sorted({ACTIONS[action].right or "" for action in ROLE_ACTIONS.values()})
OPEN: Final = (Lifecycle.LIVE, Lifecycle.PILOT)
OPEN_STATES: Final = [state.value for state in OPEN]
POOL: Final = ModelColumns(Pool, "id", "use_case", "role", "skills")
# Asked at each claim, so written out; pools are few.
RUNNING: Final = (
    "SELECT {} FROM reviews_pool p JOIN registry_usecase u ON u.slug = p.use_case_id "
    "WHERE u.lifecycle IN (%s, %s)"
)

_made: dict[tuple[str, str], Pool] = {}  # by database and key: a pool never changes


class Served(NamedTuple):
    """What one person may serve: pool ids, what stands for them in the data they may not see, and
    which use case each pool is of."""

    pools: list[int]
    use_cases: list[str]
    of: Mapping[int, str] = {}

    def pseudonyms(self, login: str) -> list[str]:
        """The person as a subject, in each of these use cases."""
        return [subject_pseudonym(pseudonym_key(), slug, login) for slug in self.use_cases]


def pseudonym_key() -> bytes:
    return str(settings.PSEUDONYM_KEY).encode()


def pool_for(use_case: str, role: str = "", skills: Iterable[str] = ()) -> Pool:
    """The pool of a role and skills in a use case; made when it is first asked for."""
    content = {"use_case": use_case, "role": role, "skills": sorted(set(skills))}
    key = content_hash(content)
    place = (str(connection.settings_dict["NAME"]), key)
    if place in _made:
        return _made[place]
    row = Pool(use_case_id=use_case, role=role, skills=content["skills"], key=key)
    found = Pool.objects.filter(key=key).first()
    if found is None:
        Pool.objects.bulk_create([row], ignore_conflicts=True)
        found = Pool.objects.get(key=key)
    # What this transaction made is there for good only once it has committed.
    transaction.on_commit(lambda: _made.__setitem__(place, found))
    return found


def caller_for(actor: Actor, person: User) -> Caller:
    """``person`` with what they may do; a program's own row has the grants of its key."""
    if actor.kind == "program":
        key = ServiceKey.objects.filter(pk=actor.id).first()
        return Caller(actor, tuple(key.grants()) if key and key.is_usable else (), user=person)
    return caller_of_user(person)


def pools_served(
    caller: Caller, person: User, now: datetime, use_case: str | None = None
) -> Served:
    """The pools of running use cases that ``person`` may serve now: role, right and skills."""
    rows = [POOL.values(row) for row in fetched(RUNNING.format(POOL.of("p")), OPEN_STATES)]
    barred = rights_held_by_others(person.pk, RIGHTS)
    skills = skills_by_use_case(person, now)
    pools: dict[int, str] = {}
    for key, slug, role, needed in rows:
        if use_case not in (None, slug):
            continue
        if _may(caller, role, slug, barred) and not qualified(needed, held_in(skills, slug), now):
            pools[key] = slug
    return Served(list(pools), sorted(set(pools.values())), pools)


def missing_for(
    caller: Caller, person: User, pool: Pool, now: datetime, held: Mapping[str, Held] | None = None
) -> str | None:
    """Why ``person`` may not sit here, or None: the check of the claim, again."""
    slug = pool.use_case_id
    if not person.is_active:
        return f"{person.username} is deactivated"
    if not _may(caller, pool.role, slug, rights_held_by_others(person.pk, RIGHTS)):
        who = pool.role.replace("_", " ") or "reviewer"
        return f"{person.username} may not review in {slug} as {who}"
    found = skills_by_use_case(person, now) if held is None else held
    lacking = qualified(pool.skills, held_in(found, slug), now)
    return f"{person.username} lacks the skill {', '.join(lacking)} in {slug}" if lacking else None


def _may(caller: Caller, role: str, slug: str, barred: set[tuple[str, str]]) -> bool:
    action = ROLE_ACTIONS.get(role)
    if role and not any(g.role == role and g.use_case in ("", slug) for g in caller.grants):
        return False
    if action is None:
        return True
    return caller.may(action, slug) and (slug, ACTIONS[action].right) not in barred
