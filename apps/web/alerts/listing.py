"""Alerts as pages show them: the list with what is open first, and one with what people did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import Case, QuerySet, Value, When

from apps.accounts.callers import Caller
from apps.common.errors import NotFound
from apps.metrics.alerts import ACKNOWLEDGED, RAISED, RESOLVED
from apps.metrics.models import Alert
from apps.policies.second_person import actors_known
from apps.web.alerts.words import KIND_WORDS, Shown, dashboard_of_alert
from apps.web.desk.team_forms import reason_field

PAGE: Final = 50
OPEN: Final = "open"
STATUSES: Final = (("", "Any"), (OPEN, "open"), *((s, s) for s in (RAISED, ACKNOWLEDGED, RESOLVED)))


class AlertFilter(forms.Form):
    use_case = forms.ChoiceField(label="Use case", required=False)
    status = forms.ChoiceField(choices=STATUSES, required=False)
    kind = forms.ChoiceField(choices=[("", "Any"), *KIND_WORDS.items()], required=False)

    def __init__(self, *args: Any, names: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["use_case"].choices = [("", "Any"), *names.items()]  # type: ignore[attr-defined]


class AcknowledgeForm(forms.Form):
    prefix = "seen"
    note = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What you are going to do; may be left empty.",
    )


class ResolveForm(forms.Form):
    prefix = "done"
    note = reason_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].label = "What came of it"
        self.fields["note"].widget = forms.Textarea(attrs={"rows": 2, "maxlength": 2000})


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as a line. ``by``: who acknowledged or resolved it last."""

    alert: Alert
    use_case: str
    words: str
    by: str
    shown: Shown | None


@dataclass(frozen=True, slots=True)
class AlertStep:
    """What happened to an alert: its status from then on, who, when, in which words."""

    status: str
    at: datetime
    actor: str
    actor_kind: str
    note: str


def alerts_of(names: Mapping[str, str], wanted: Mapping[str, Any]) -> QuerySet[Alert]:
    """Those that wait for somebody first, then those looked into, then resolved; newest first."""
    slugs = [wanted["use_case"]] if wanted.get("use_case") else list(names)
    rows: QuerySet[Alert] = Alert.objects.filter(use_case_id__in=slugs)
    if wanted.get("status") == OPEN:
        rows = rows.exclude(status=RESOLVED)
    elif wanted.get("status"):
        rows = rows.filter(status=wanted["status"])
    if wanted.get("kind"):
        rows = rows.filter(kind=wanted["kind"])
    place = Case(
        When(status=RAISED, then=Value(0)),
        When(status=ACKNOWLEDGED, then=Value(1)),
        default=Value(2),
    )
    return rows.select_related("limit").order_by(place, "-pk")


def alerts_page(
    caller: Caller, names: Mapping[str, str], wanted: Mapping[str, Any], number: str | None
) -> tuple[Page[Any], list[AlertRow]]:
    """A page of alerts: a fixed number of queries."""
    page = Paginator(alerts_of(names, wanted), PAGE).get_page(number)
    alerts = list(page.object_list)
    known = actors_known(one.resolved_by or one.acknowledged_by for one in alerts)
    rows = []
    for one in alerts:
        last = one.resolved_by or one.acknowledged_by
        by = known[last].words if last else ""
        rows.append(
            AlertRow(
                one,
                names[one.use_case_id],
                KIND_WORDS.get(one.kind, one.kind),
                by,
                dashboard_of_alert(caller, one),
            )
        )
    return page, rows


def alert_for(names: Mapping[str, str], key: UUID) -> Alert:
    """NotFound where the alert is in none of the use cases that ``names`` holds."""
    rows = Alert.objects.select_related("limit", "use_case").filter(use_case_id__in=list(names))
    found: Alert | None = rows.filter(pk=key).first()
    if found is None:
        raise NotFound(f"There is no alert {key} that you may see.")
    return found


def alert_steps(alert: Alert) -> Sequence[AlertStep]:
    """Newest first, from the alert's own history."""
    rows: Any = alert.history.order_by("-history_id")
    return [
        AlertStep(
            row.status,
            row.history_date,
            row.history_user_name,
            row.history_user_kind,
            "" if row.status == RAISED else row.history_change_reason,
        )
        for row in rows
    ]
