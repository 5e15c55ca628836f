"""The audit trail: the list of records, one record with its proof, and the trail's health."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.audit import verification
from apps.audit.events import Event, record_event
from apps.audit.selectors import RecordFilter, record_types
from apps.web import trail
from apps.web.access import PageRequest, requires
from apps.web.fields import MomentField, PeriodForm
from apps.web.views.exports import export_form

HIDDEN = forms.HiddenInput
FILTERS = ("type", "actor", "use_case", "begin", "end")


class RecordFilterForm(PeriodForm):
    type = forms.ChoiceField(required=False)
    actor = forms.CharField(
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": "login or id"}),
    )
    use_case = forms.CharField(required=False, max_length=80, label="Use case")
    begin = MomentField(required=False, label="From")
    end = MomentField(required=False, label="To")
    before = forms.IntegerField(min_value=0, max_value=2**62, required=False, widget=HIDDEN)
    after = forms.IntegerField(min_value=0, max_value=2**62, required=False, widget=HIDDEN)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(name, name.replace("_", " ")) for name in record_types()]
        self.fields["type"].choices = [("", "Any"), *choices]  # type: ignore[attr-defined]

    def wanted(self, visible: frozenset[str] | None) -> RecordFilter:
        values = self.cleaned_data
        return RecordFilter(
            visible=visible,
            type=values["type"] or None,
            actor=values["actor"] or None,
            use_case=values["use_case"] or None,
            begin=values["begin"],
            end=values["end"],
        )


@requires("audit.view")
def records(request: PageRequest) -> HttpResponse:
    form = RecordFilterForm(request.GET)
    visible = request.caller.visible("audit.view")
    page = trail.RecordPage([], None, None)
    if form.is_valid():
        before, after = form.cleaned_data["before"], form.cleaned_data["after"]
        page = trail.record_page(form.wanted(visible), before=before, after=after)
    filtered = any(request.GET.get(name) for name in FILTERS)
    context = {
        "form": form,
        "page": page,
        "filtered": filtered,
        "visible": visible,
        "export_form": export_form(request) if request.caller.may("audit.export") else None,
    }
    return render(request, "web/records.html", context)


@requires("audit.view")
def record(request: PageRequest, leaf_index: int) -> HttpResponse:
    detail = trail.record_detail(leaf_index, request.caller.visible("audit.view"))
    return render(request, "web/record.html", {"detail": detail, "leaf": detail.leaf})


@requires("audit.view")
def trail_health(request: PageRequest) -> HttpResponse:
    runs = trail.recent_runs()
    findings = runs[0].findings if runs else []
    context = {
        "trail": trail.trail_state(),
        "runs": runs,
        "findings": findings[: trail.SHOWN_FINDINGS],
        "more_findings": max(0, len(findings) - trail.SHOWN_FINDINGS),
        "checkpoints": trail.recent_checkpoints(),
        "may_verify": request.caller.may("audit.verify"),
        "sample": verification.SAMPLE,
    }
    return render(request, "web/trail_health.html", context)


@require_POST
@requires("audit.verify")
def verify_now(request: PageRequest) -> HttpResponse:
    """A sample now, while the reader waits; the full one runs by the clock."""
    run = verification.verify(full=False)
    found = len(run.findings)
    detail = {"run": run.pk, "sound": run.ok, "findings": found}
    actor = request.caller.actor
    record_event(Event("trail_verified", actor, action="audit.verify", detail=detail))
    if run.ok:
        messages.success(request, f"{run.records} records checked: sound.")
    else:
        messages.error(request, f"{run.records} records checked: {found} contradictions found.")
    return HttpResponseRedirect(reverse("trail_health"))
