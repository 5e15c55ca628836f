"""The form that asks for a bundle: the filters of the audit page, why, and in which formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms

from apps.audit.selectors import record_types
from apps.exports.formats import DEFAULT, FORMATS
from apps.exports.selectors import ExportFilter
from apps.exports.services import LONGEST_PURPOSE
from apps.web.fields import MomentField

FILTERS: Final = ("type", "actor", "use_case", "begin", "end")
FORMAT_WORDS: Final = {
    "jsonl": "the records as they were hashed (always there)",
    "csv": "CSV",
    "parquet": "Parquet",
    "xlsx": "Excel",
    "pdf": "a summary as PDF",
}
# BadInput's pointer -> field
FIELDS: Final = {"/from": "begin", "/to": "end"}


class ExportForm(forms.Form):
    """``names``: slug -> name of the use cases that may be exported; ``whole``: all of them."""

    use_case = forms.ChoiceField(label="Use case", required=False)
    type = forms.ChoiceField(label="Type of record", required=False)
    actor = forms.CharField(
        required=False,
        max_length=150,
        widget=forms.TextInput(attrs={"placeholder": "login or id"}),
    )
    begin = MomentField(required=False, label="From")
    end = MomentField(required=False, label="To")
    purpose = forms.CharField(
        max_length=LONGEST_PURPOSE,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="What it is for",
        help_text="Goes into the trail, such as “request of the supervisory authority, file 12”.",
    )
    formats = forms.MultipleChoiceField(
        required=False,
        choices=[(name, FORMAT_WORDS[name]) for name in FORMATS if name != "jsonl"],
        widget=forms.CheckboxSelectMultiple,
        label="Also as",
    )

    def __init__(self, *args: Any, names: Mapping[str, str], whole: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        everything = [("", "All use cases")] if whole else []
        self.fields["use_case"].choices = [*everything, *names.items()]  # type: ignore[attr-defined]
        self.fields["use_case"].required = not whole
        types = [(name, name.replace("_", " ")) for name in record_types()]
        self.fields["type"].choices = [("", "Any"), *types]  # type: ignore[attr-defined]
        self.initial.setdefault("formats", [name for name in DEFAULT if name != "jsonl"])

    def wanted(self) -> ExportFilter:
        values = self.cleaned_data
        asked: dict[str, Any] = {name: values[name] or None for name in FILTERS}
        return ExportFilter(**asked)

    def chosen(self) -> list[str]:
        return ["jsonl", *self.cleaned_data["formats"]]
