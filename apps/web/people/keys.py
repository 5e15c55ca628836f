"""Service keys as a page shows them: whose, where they open what, until when, used last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.accounts.domain.matrix import ROLES
from apps.accounts.models import ServiceKey
from apps.web.desk.team_forms import login_field, reason_field
from apps.web.fields import MomentField

PAGE: Final = 50
STATES: Final = {"": "In force", "over": "Expired or revoked", "all": "All"}
ROLE_WORDS: Final = [(role, role.replace("_", " ")) for role in ROLES]


class KeyFilter(forms.Form):
    q = forms.CharField(label="Name or beginning", required=False, max_length=200)
    state = forms.ChoiceField(choices=list(STATES.items()), required=False)


class KeyForm(forms.Form):
    """A key to make."""

    prefix = "key"
    name = forms.CharField(
        label="Name", max_length=200, help_text="The program, such as “credit gateway, staging”."
    )
    role = forms.ChoiceField(choices=ROLE_WORDS, initial="integration")
    use_case = forms.ChoiceField(label="Where", required=False)
    issued_to = login_field(
        "Held by",
        required=False,
        hint="A login. Where two people are needed, what the key does counts as theirs.",
    )
    expires_at = MomentField(label="Until", required=False, help_text="Empty: without an end.")
    reason = reason_field()

    def __init__(self, *args: Any, names: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["use_case"].choices = [("", "All use cases"), *names.items()]  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as a line. ``state``: in force, expired or revoked; ``made_by``: who made it."""

    key: ServiceKey
    state: str
    use_case: str
    last_used_at: datetime | None
    made_by: str
    made_at: datetime | None


def keys_of(wanted: Mapping[str, Any], now: datetime) -> QuerySet[ServiceKey]:
    keys: QuerySet[ServiceKey] = ServiceKey.objects.select_related("use", "issued_to")
    over = Q(revoked_at__isnull=False) | Q(expires_at__lte=now)
    state = wanted.get("state", "")
    if state != "all":
        keys = keys.filter(over) if state == "over" else keys.exclude(over)
    if text := wanted.get("q"):
        keys = keys.filter(Q(name__icontains=text) | Q(prefix__startswith=text))
    return keys.order_by("-pk")


def keys_page(
    names: Mapping[str, str], wanted: Mapping[str, Any], number: str | None
) -> tuple[Page[Any], list[KeyRow]]:
    """The newest first; a fixed number of queries."""
    now = timezone.now()
    page = Paginator(keys_of(wanted, now), PAGE).get_page(number)
    keys = list(page.object_list)
    history: Any = ServiceKey.history
    made = history.filter(id__in=[key.pk for key in keys], history_type="+")
    by = {
        pk: (name, at)
        for pk, name, at in made.values_list("id", "history_user_name", "history_date")
    }
    return page, [_row(key, names, by.get(key.pk, ("", None)), now) for key in keys]


def _row(
    key: ServiceKey, names: Mapping[str, str], made: tuple[str, datetime | None], now: datetime
) -> KeyRow:
    state = "in force"
    if key.revoked_at is not None:
        state = "revoked"
    elif key.expires_at is not None and key.expires_at <= now:
        state = "expired"
    used = key.use.last_used_at if hasattr(key, "use") else None
    where = names.get(key.use_case, key.use_case)
    return KeyRow(key, state, where, used, *made)
