"""A person as their page shows them: what they hold and where, and all that was done about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django import forms

from apps.accounts.callers import Caller
from apps.accounts.domain.matrix import PEOPLE, RIGHTS, ROLES
from apps.accounts.models import Qualification, RoleGrant, User
from apps.common.changes import change_entries
from apps.common.errors import NotFound
from apps.registry.models import DecisionRight
from apps.web.desk.team_forms import reason_field

HISTORY: Final = 100
ROLE_WORDS: Final = [
    ("", "Choose"),
    *((role, role.replace("_", " ")) for role in ROLES if role in PEOPLE),
]
RIGHT_WORDS: Final = [("", "Choose"), *((right, right.replace("_", " ")) for right in RIGHTS)]


class RoleForm(forms.Form):
    """A role to grant."""

    prefix = "role"
    role = forms.ChoiceField(choices=ROLE_WORDS)
    use_case = forms.ChoiceField(label="Where", required=False)
    reason = reason_field()

    def __init__(self, *args: Any, names: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["use_case"].choices = [("", "All use cases"), *names.items()]  # type: ignore[attr-defined]


class RightForm(forms.Form):
    """A decision right to grant: it is always of one use case."""

    prefix = "right"
    right = forms.ChoiceField(choices=RIGHT_WORDS)
    use_case = forms.ChoiceField(label="Use case")
    reason = reason_field()

    def __init__(self, *args: Any, names: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["use_case"].choices = list(names.items())  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done about a person: what, in which words, by whom, when, why."""

    at: datetime
    words: str
    actor: str
    actor_kind: str
    reason: str


def person_for(key: UUID) -> User:
    found: User | None = User.objects.filter(pk=key).first()
    if found is None:
        raise NotFound(f"There is no person {key}.")
    return found


def rights_of(caller: Caller, person: User) -> list[DecisionRight]:
    """The decision rights held, of the use cases whose rights the reader may see."""
    slugs = caller.visible("rights.view")
    rights = DecisionRight.objects.filter(person=person).select_related("use_case")
    rights = rights if slugs is None else rights.filter(use_case_id__in=slugs)
    return list(rights.order_by("use_case__name", "right"))


def steps_of(caller: Caller, person: User) -> Sequence[Step]:
    """The newest of everything that was done about a person, newest first."""
    slugs = caller.visible("rights.view")
    steps = [*_account(person), *_granted(RoleGrant, "user", person, _role)]
    steps += _granted(Qualification, "user", person, _skill)
    steps += _granted(DecisionRight, "person", person, _right, slugs)
    return sorted(steps, key=lambda step: step.at, reverse=True)[:HISTORY]


def _account(person: User) -> list[Step]:
    found = []
    for entry in change_entries(person):
        words = "the account was created"
        if entry.verb != "created":
            words = "; ".join(_field(one) for one in entry.fields) or "nothing changed"
        found.append(Step(entry.at, words, entry.actor, entry.actor_kind, entry.reason))
    return found


def _field(change: Any) -> str:
    if change.field == "is_active":
        return "reactivated" if change.after == "True" else "deactivated"
    if change.field == "credential_fingerprint":
        return "the password was changed"
    return f"{change.field.replace('_', ' ')}: {change.before} is now {change.after}"


def _granted(
    model: Any,
    column: str,
    person: User,
    words: Callable[[Any], str],
    slugs: frozenset[str] | None = None,
) -> list[Step]:
    rows = model.history.filter(**{column: person.pk}).order_by("-history_id")
    if slugs is not None:
        rows = rows.filter(use_case_id__in=slugs)
    return [
        Step(
            row.history_date,
            words(row),
            row.history_user_name,
            row.history_user_kind,
            row.history_change_reason,
        )
        for row in rows[:HISTORY]
    ]


def _role(row: Any) -> str:
    verb = "revoked" if row.history_type == "-" else "granted"
    return f"role {row.role.replace('_', ' ')} {verb}{_where(row.use_case)}"


def _skill(row: Any) -> str:
    verb = {"held": "granted"}.get(row.status, row.status)
    return f"skill {row.skill} {verb}{_where(row.use_case)}"


def _right(row: Any) -> str:
    verb = "revoked" if row.history_type == "-" else "granted"
    return f"right {row.right.replace('_', ' ')} {verb}{_where(row.use_case_id)}"


def _where(slug: str) -> str:
    return f" in {slug}" if slug else " in all use cases"
