"""Settings: one's own time zone, theme and keys; for administrators how the installation stands."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from apps.accounts.services import ZONES, person_update
from apps.common.errors import BadInput
from apps.web.access import PageRequest, signed_in
from apps.web.desk.keys import key_context
from apps.web.installation import installation

REASON = "own setting"


class ZoneForm(forms.Form):
    time_zone = forms.CharField(
        label="Time zone",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text="Times on every page are shown in it; such as Europe/Paris.",
    )


@never_cache
@signed_in
def own_settings(request: PageRequest) -> HttpResponse:
    if request.method != "POST":
        return _shown(request, ZoneForm(initial={"time_zone": request.user.time_zone}))
    form = ZoneForm(request.POST)
    if not form.is_valid():
        return _shown(request, form, status=400)
    try:
        _set_zone(request, form.cleaned_data["time_zone"])
    except BadInput as refused:
        form.add_error("time_zone", refused.errors[0].detail)
        return _shown(request, form, status=400)
    return HttpResponseRedirect(reverse("settings"))


def _set_zone(request: PageRequest, zone: str) -> None:
    if zone == request.user.time_zone:
        messages.info(request, f"Times are shown in {zone} already.")
        return
    actor = request.caller.actor
    person_update(actor=actor, user=request.user, reason=REASON, time_zone=zone)
    messages.success(request, f"Times are shown in {zone} from now on.")


def _shown(request: PageRequest, form: ZoneForm, *, status: int = 200) -> HttpResponse:
    caller = request.caller
    context: dict[str, Any] = {
        "form": form,
        "zones": sorted(ZONES),
        "now": timezone.now(),
        "sees_queue": caller.may("review.take"),
        "sees_alerts": caller.may("alert.view"),
        "installation": installation() if caller.may("admin.site") else None,
        **(key_context() if caller.may("review.take") else {}),
    }
    return render(request, "web/settings/own.html", context, status=status)
