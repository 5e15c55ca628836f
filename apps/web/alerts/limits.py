"""Limits as a page shows them, and the form that sets one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms
from django.core.paginator import Page, Paginator

from apps.accounts.callers import Caller
from apps.common.errors import NotFound
from apps.metrics.domain.watching import WORDS
from apps.metrics.limits import RANGES
from apps.metrics.models import AlertLimit
from apps.web.alerts.words import Shown, dashboard_of
from apps.web.desk.team_forms import reason_field

PAGE: Final = 50
STATES: Final = {"": "In force", "retired": "Retired", "all": "All"}
# What a form proposes; every other figure of a report can be named by its path as well.
PROPOSED: Final = {
    "accuracy.combined.value": "accuracy of AI and people together",
    "accuracy.ai.value": "accuracy of the AI alone",
    "accuracy.automatic_lane.value": "accuracy of what the AI decides by itself",
    "accuracy.team_gain.value": "gain of the team over the better of two",
    "accuracy.ece": "calibration error",
    "drift.psi.max": "largest drift of a feature",
    "reviewers.alpha.value": "agreement of reviewers",
    "reviewers.known_answer_accuracy.value": "known answers that reviewers got right",
    "reviewers.reliance.override_rate.value": "share of the AI's outputs that people changed",
    "operations.open_tasks": "cases that wait for people",
    "operations.automation_rate.value": "share that no person looks at",
}


class LimitFilter(forms.Form):
    use_case = forms.ChoiceField(label="Use case", required=False)
    state = forms.ChoiceField(choices=list(STATES.items()), required=False)

    def __init__(self, *args: Any, names: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["use_case"].choices = [("", "Any"), *names.items()]  # type: ignore[attr-defined]


def _whole(label: str, name: str, initial: int, hint: str) -> forms.IntegerField:
    least, most = RANGES[name]
    return forms.IntegerField(
        label=label, min_value=least, max_value=most, initial=initial, help_text=hint
    )


class LimitForm(forms.Form):
    """A limit to set."""

    prefix = "limit"
    use_case = forms.ChoiceField(label="Use case")
    metric = forms.CharField(
        label="Figure",
        max_length=200,
        widget=forms.TextInput(attrs={"list": "figures-proposed", "autocomplete": "off"}),
        help_text="Its path in a report, such as accuracy.combined.value.",
    )
    op = forms.ChoiceField(label="Raise an alert when it is", choices=list(WORDS.items()))
    value = forms.FloatField(
        label="This value",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    window_days = _whole("Over windows of so many days", "window_days", 7, "Whole days, in UTC.")
    in_a_row = _whole("So many windows in a row", "in_a_row", 2, "One that strays is none.")
    smallest = _whole("Each on so many cases", "smallest", 30, "On fewer it is not asked.")
    reason = reason_field()

    def __init__(self, *args: Any, names: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["use_case"].choices = list(names.items())  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit in words; ``shown``: where its figure is drawn."""

    limit: AlertLimit
    use_case: str
    bound: str
    shown: Shown | None
    may_retire: bool


def bound_words(limit: AlertLimit) -> str:
    """ "below 0.8"."""
    return f"{WORDS[limit.op]} {limit.value:g}"


def limits_page(
    caller: Caller, names: Mapping[str, str], wanted: Mapping[str, Any], number: str | None
) -> tuple[Page[Any], list[LimitRow]]:
    """Those in force unless others are asked for; the newest first."""
    slugs = [wanted["use_case"]] if wanted.get("use_case") else list(names)
    rows = AlertLimit.objects.filter(use_case_id__in=slugs)
    state = wanted.get("state", "")
    if state != "all":
        rows = rows.filter(active=state != "retired")
    page = Paginator(rows.order_by("-pk"), PAGE).get_page(number)
    return page, [
        LimitRow(
            one,
            names[one.use_case_id],
            bound_words(one),
            dashboard_of(caller, one.metric, one.use_case_id),
            one.active and caller.may("alert_limit.set", one.use_case_id),
        )
        for one in page.object_list
    ]


def limit_for(names: Mapping[str, str], key: UUID) -> AlertLimit:
    rows = AlertLimit.objects.filter(use_case_id__in=list(names))
    found: AlertLimit | None = rows.filter(pk=key).first()
    if found is None:
        raise NotFound(f"There is no limit {key} that you may see.")
    return found
