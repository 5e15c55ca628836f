"""Mandates as a page shows them: what each covers, what is used of it, who may end it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import Q

from apps.accounts.callers import Caller
from apps.policies.domain.condition_parser import parse_condition
from apps.policies.domain.condition_words import condition_words
from apps.policies.domain.schema import InvalidDocumentError
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.selectors import use_case_schema
from apps.registry.access import rights_held_by_others
from apps.supervision.models import Mandate
from apps.supervision.selectors import MandateAccount, mandate_account
from apps.web.decisions.access import visible_names
from apps.web.desk.team_forms import reason_field
from apps.web.fields import MomentField

PAGE: Final = 50
STATES: Final = {"": "In force or to come", "over": "Over, used up or revoked", "all": "All"}


@dataclass(frozen=True, slots=True)
class MandateRow:
    """A mandate in words. ``count_share`` and ``amount_share``: what is used, None without a limit."""

    mandate: Mandate
    account: MandateAccount
    use_case: str
    scope: str
    issued_by: str
    count_share: float | None
    amount_share: float | None
    may_revoke: bool


class MandateForm(forms.Form):
    """What is stated beside the scope, which the builder makes."""

    name = forms.CharField(max_length=200, required=False, help_text="What people call it.")
    max_count = forms.IntegerField(
        label="At most so many decisions",
        required=False,
        help_text="Empty: no limit.",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    max_amount = forms.CharField(
        label="At most this sum of amounts",
        required=False,
        max_length=40,
        help_text="Such as 50000.00; empty: no limit.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    valid_from = MomentField(label="From", required=False, help_text="Empty: from now on.")
    valid_to = MomentField(label="To")
    reason = reason_field()


class MandateFilter(forms.Form):
    use_case = forms.ChoiceField(label="Use case", required=False)
    state = forms.ChoiceField(choices=list(STATES.items()), required=False)

    def __init__(self, *args: Any, names: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["use_case"].choices = [("", "Any"), *names.items()]  # type: ignore[attr-defined]


def issuable(caller: Caller) -> dict[str, str]:
    """The use cases in which the reader may issue mandates: those in command, where there are
    some, since a mandate says nothing elsewhere."""
    names = visible_names(caller, "mandate.issue")
    standing = PolicyVersion.objects.filter(
        use_case__in=list(names), status=PolicyStatus.ACTIVE, level="HIC"
    )
    commanded = set(standing.values_list("use_case_id", flat=True))
    return {slug: name for slug, name in names.items() if slug in commanded} or names


def mandates_page(
    caller: Caller,
    names: Mapping[str, str],
    wanted: Mapping[str, Any],
    page: Any,
    now: datetime,
) -> tuple[Page[Any], list[MandateRow]]:
    """The newest first, each with its account."""
    slugs = [wanted["use_case"]] if wanted.get("use_case") else list(names)
    rows = Mandate.objects.filter(use_case_id__in=slugs)
    standing = Q(revoked_at=None, valid_to__gt=now)
    state = wanted.get("state", "")
    if state != "all":
        rows = rows.filter(~standing if state == "over" else standing)
    rows = rows.select_related("counter", "issued_by", "use_case").order_by("-issued_at", "-pk")
    found = Paginator(rows, PAGE).get_page(page)
    person = caller.user.pk if caller.user is not None else None
    elsewhere = rights_held_by_others(person, ("command",))
    return found, [_row(caller, one, elsewhere, now) for one in found.object_list]


def _row(
    caller: Caller, mandate: Mandate, elsewhere: set[tuple[str, str]], now: datetime
) -> MandateRow:
    account = mandate_account(mandate, now)
    slug = mandate.use_case_id
    may = caller.may("mandate.issue", slug) and (slug, "command") not in elsewhere
    amount = mandate.max_amount
    return MandateRow(
        mandate=mandate,
        account=account,
        use_case=mandate.use_case.name,
        scope=scope_words(mandate),
        issued_by=mandate.issued_by.name if mandate.issued_by is not None else "the operator",
        count_share=account.used_count / mandate.max_count if mandate.max_count else None,
        amount_share=float(account.used_amount / amount) if amount else None,
        may_revoke=may and account.state in ("scheduled", "in_force", "used_up"),
    )


def scope_words(mandate: Mandate) -> str:
    """What a mandate covers, in plain words."""
    try:
        words = condition_words(parse_condition(mandate.scope, use_case_schema(mandate.use_case)))
    except InvalidDocumentError as error:
        return f"does not fit the use case as it is defined now: {error}"
    return "every decision" if words == "always" else f"where {words}"
