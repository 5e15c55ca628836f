"""Skills that people hold: granted by whom and until when, revoked, lapsed for want of practice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import Qualification, User
from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict
from apps.common.prepared import Prepared
from apps.common.saving import checked_reason, checked_save

MAX_SKILL = 100
Held = dict[str, datetime | None]  # skill -> until when, None for one without an end


def checked_skill(skill: object) -> str:
    if not isinstance(skill, str) or not skill.strip() or len(skill.strip()) > MAX_SKILL:
        raise BadInput(f"{skill!r} is not a skill: text of 1 to {MAX_SKILL} characters", "/skill")
    return skill.strip()


@transaction.atomic
def qualification_grant(
    *,
    actor: Actor,
    user: User,
    skill: str,
    reason: str,
    use_case: str = "",
    valid_until: datetime | None = None,
) -> Qualification:
    """Somebody holds a skill from now on; one that lapsed, was lost or revoked is held again."""
    require_actor(actor)
    reason, now = checked_reason(reason, required=True), timezone.now()
    if valid_until is not None and valid_until <= now:
        raise BadInput(f"{valid_until.isoformat()} lies in the past", "/valid_until")
    if actor.id == str(user.pk):
        raise Conflict("nobody qualifies themselves: another person has to grant it")
    skill = checked_skill(skill)
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # one grant at a time
    held = Qualification.objects.filter(user=user, skill=skill, use_case=use_case).first()
    held = held or Qualification(user=user, skill=skill, use_case=use_case)
    held.status, held.evidence, held.valid_until = "held", None, valid_until
    held.granted_by, held.granted_at = actor.id, now
    return checked_save(held, actor=actor, reason=reason)


@transaction.atomic
def qualification_end(
    *,
    actor: Actor,
    qualification: Qualification,
    status: str,
    reason: str,
    evidence: Mapping[str, Any] | None = None,
) -> Qualification:
    """``revoked`` by a person, ``lost`` below the floor, ``lapsed`` without practice."""
    require_actor(actor)
    if status not in ("revoked", "lost", "lapsed"):
        raise BadInput(f"{status!r} is not one of revoked, lost, lapsed", "/status")
    held: Qualification = (
        Qualification.objects.select_for_update(no_key=True, of=("self",))
        .select_related("user")
        .get(pk=qualification.pk)
    )
    if held.status != "held":
        raise Conflict(f"{held.user.username}'s skill {held.skill!r} is {held.status} already")
    held.status = status
    held.evidence = None if evidence is None else dict(evidence)
    return checked_save(held, actor=actor, reason=checked_reason(reason, required=True))


def qualification_revoke(
    *, actor: Actor, qualification: Qualification, reason: str
) -> Qualification:
    """A lead takes a skill away."""
    return qualification_end(
        actor=actor, qualification=qualification, status="revoked", reason=reason
    )


def held_skills(person: User, use_case: str, now: datetime) -> Held:
    """The skills that ``person`` holds in a use case at ``now``, with their ends."""
    rows = _held_rows(person.pk, now).filter(use_case__in=("", use_case))
    return _latest(rows.values_list("skill", "valid_until"))


def skills_by_use_case(person: User, now: datetime) -> dict[str, Held]:
    """Slug ("" for everywhere) -> skills held there at ``now``, in one query."""
    found: dict[str, list[tuple[str, datetime | None]]] = {}
    for use_case, skill, until in HELD.rows(user=person.pk, now=now):
        found.setdefault(use_case, []).append((skill, until))
    return {use_case: _latest(pairs) for use_case, pairs in found.items()}


def held_in(by_use_case: Mapping[str, Held], use_case: str) -> Held:
    """Of ``skills_by_use_case``: what counts in one use case."""
    return _latest([*by_use_case.get("", {}).items(), *by_use_case.get(use_case, {}).items()])


def _held_rows(user: Any, now: Any) -> Any:
    lasting = Q(valid_until=None) | Q(valid_until__gt=now)
    return Qualification.objects.filter(lasting, user=user, status="held")


HELD: Final = Prepared(
    lambda user, now: _held_rows(user, now).values_list("use_case", "skill", "valid_until"),
    user=Qualification.user,
    now=Qualification.valid_until,
)


def _latest(pairs: Iterable[tuple[str, datetime | None]]) -> Held:
    """Of a skill that is held twice, the longer one."""
    found: Held = {}
    for skill, until in pairs:
        known = found.get(skill, until)
        found[skill] = None if known is None or until is None else max(known, until)
    return found
