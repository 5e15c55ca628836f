"""The form above the list of decisions."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from apps.decisions.domain.lifecycle import Lane, Status
from apps.web.decisions.listing import SORTS
from apps.web.fields import MomentField, PeriodForm

NARROWING: Final = (
    "q",
    "use_case",
    "lane",
    "status",
    "label",
    "model_version",
    "begin",
    "end",
)
LANES: Final = [("", "Any"), *((lane.value, lane.value) for lane in Lane)]
STATUSES: Final = [("", "Any"), *((status.value, status.value) for status in Status)]


class DecisionFilter(PeriodForm):
    q = forms.CharField(label="Case id", required=False, max_length=200)
    use_case = forms.ChoiceField(label="Use case", required=False)
    lane = forms.ChoiceField(choices=LANES, required=False)
    status = forms.ChoiceField(choices=STATUSES, required=False)
    label = forms.CharField(label="AI’s label", required=False, max_length=200)
    model_version = forms.CharField(label="Model version", required=False, max_length=100)
    begin = MomentField(label="From", required=False)
    end = MomentField(label="To", required=False)
    sort = forms.ChoiceField(choices=list(SORTS.items()), required=False)
    after = forms.UUIDField(required=False, widget=forms.HiddenInput)
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, names: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["use_case"].choices = [("", "Any"), *names.items()]  # type: ignore[attr-defined]
