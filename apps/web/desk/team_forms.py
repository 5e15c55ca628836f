"""The forms of the team board."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django import forms

from apps.web.desk.known import STATUSES as KNOWN_STATUSES
from apps.web.desk.staff import STATUSES as SKILL_STATUSES
from apps.web.desk.team import STATES
from apps.web.fields import MomentField

REASON: Final = 2000
LOGIN: Final = 150


def login_field(label: str, *, required: bool = True, hint: str = "") -> forms.CharField:
    """A login, proposed from the page's list of people."""
    offered = forms.TextInput(attrs={"list": "people-offered", "autocomplete": "off"})
    return forms.CharField(
        label=label, required=required, max_length=LOGIN, widget=offered, help_text=hint
    )


def reason_field() -> forms.CharField:
    return forms.CharField(label="Reason", max_length=REASON, help_text="Goes into the trail.")


def _chosen(form: forms.Form, name: str, choices: Sequence[tuple[str, str]]) -> None:
    form.fields[name].choices = choices  # type: ignore[attr-defined]


class TaskFilter(forms.Form):
    of = forms.ChoiceField(label="Use case", required=False)
    state = forms.ChoiceField(choices=[("", "Any"), *STATES.items()], required=False)
    case = forms.CharField(label="Case", required=False, max_length=200)
    person = forms.CharField(label="Held by or given to", required=False, max_length=LOGIN)

    def __init__(self, *args: Any, names: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _chosen(self, "of", [("", "Any"), *names.items()])


class SkillFilter(forms.Form):
    q = forms.CharField(label="Person or skill", required=False, max_length=LOGIN)
    status = forms.ChoiceField(choices=[(one, one) for one in SKILL_STATUSES], required=False)


class SkillForm(forms.Form):
    """A skill to grant."""

    prefix = "skill"
    person = login_field("Person")
    skill = forms.CharField(
        max_length=100,
        widget=forms.TextInput(attrs={"list": "skills-asked", "autocomplete": "off"}),
    )
    use_case = forms.ChoiceField(label="Where", required=False)
    valid_until = MomentField(label="Until", required=False, help_text="Empty: without an end.")
    reason = reason_field()

    def __init__(self, *args: Any, places: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _chosen(self, "use_case", places)
        self.fields["use_case"].required = ("", "All use cases") not in places


class AbsenceForm(forms.Form):
    """Somebody is away, and who stands in."""

    prefix = "away"
    person = login_field("Who is away")
    delegate = login_field("Who stands in", required=False, hint="Empty: nobody.")
    starts_at = MomentField(label="From")
    ends_at = MomentField(label="To")
    reason = reason_field()


class KnownFilter(forms.Form):
    of = forms.ChoiceField(label="Use case", required=False)
    status = forms.ChoiceField(choices=[(one, one) for one in KNOWN_STATUSES], required=False)

    def __init__(self, *args: Any, names: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _chosen(self, "of", [("", "Any"), *names.items()])


class CaseFinder(forms.Form):
    """The case whose right answer is to be entered."""

    of = forms.ChoiceField(label="Use case")
    case = forms.CharField(
        label="Case", max_length=200, help_text="The id under which it was sent."
    )

    def __init__(self, *args: Any, names: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _chosen(self, "of", list(names.items()))
