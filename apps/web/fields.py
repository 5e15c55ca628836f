"""Fields and rules that forms of several parts share."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.formats import date_format

MOMENT: Final = "%Y-%m-%dT%H:%M"


class MomentField(forms.DateTimeField):
    """A moment in the reader's zone, as the browser's own picker writes it."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT)


class PeriodForm(forms.Form):
    """A form with moments ``begin`` and ``end``: a period that ends before it begins is no period."""

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        begin, end = found.get("begin"), found.get("end")
        if begin is not None and end is not None and begin >= end:
            named, latest = (
                date_format(timezone.localtime(one), "j M Y, H:i") for one in (begin, end)
            )
            self.add_error("begin", f"{named} is not before To; allowed: earlier than {latest}.")
        return found
