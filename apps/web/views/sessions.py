"""The sessions of the one who is signed in: end one, or all others, with a record."""

from __future__ import annotations

from typing import Any

from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from allauth.usersessions.views import ListUserSessionsView
from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect

from apps.audit.events import Event, record_event


class EndSessionsForm(forms.Form):
    """``session``: the one to end; without it, all but this one."""

    session = forms.ModelChoiceField(UserSession.objects.none(), required=False)

    def __init__(self, *args: Any, request: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = UserSession.objects.filter(user=request.user)
        self.fields["session"].queryset = own.exclude(  # type: ignore[attr-defined]
            session_key=request.session.session_key
        )

    def chosen(self) -> list[UserSession]:
        one = self.cleaned_data["session"]
        return [one] if one else list(self.fields["session"].queryset)  # type: ignore[attr-defined]


class SessionsView(ListUserSessionsView):
    form_class = EndSessionsForm

    def form_valid(self, form: EndSessionsForm) -> HttpResponse:
        ended, user = form.chosen(), self.request.user
        with transaction.atomic():
            end_sessions(self.request, ended)
            if ended:
                detail = {"sessions": len(ended)}
                record_event(Event("session_ended", user.actor, action="sign_out", detail=detail))
        messages.success(self.request, f"Sessions ended: {len(ended)}.")
        return HttpResponseRedirect(self.get_success_url())

    def form_invalid(self, form: EndSessionsForm) -> HttpResponse:
        messages.error(self.request, "That session has ended already.")
        return HttpResponseRedirect(self.get_success_url())
