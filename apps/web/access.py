"""The doors of the pages: sign in first, then the permission matrix."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from allauth.account.decorators import secure_admin_login
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.callers import Caller, caller_of_user
from apps.accounts.domain.matrix import ACTIONS
from apps.accounts.models import User

View = Callable[..., HttpResponse]


class PageRequest(HttpRequest):
    """A request that came through a door below: it knows who calls."""

    caller: Caller
    user: User


def go(request: Any, address: str) -> HttpResponse:
    """On to another page, also where htmx asked: it would put that page into a part of this one."""
    if getattr(request, "htmx", False):
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _to_sign_in(request: Any) -> HttpResponse | None:
    """After a session that ended over a form: back to the form's page, where the browser has kept
    what was typed, since the address it was sent to shows no page. None for a plain visit."""
    if request.method in ("GET", "HEAD") and not getattr(request, "htmx", False):
        return None
    page = urlsplit(request.META.get("HTTP_REFERER", ""))
    here = page.netloc == request.get_host()
    path = urlunsplit(("", "", page.path, page.query, "")) if here else "/"
    messages.warning(request, "Your session had ended. Sign in again: what you typed is kept.")
    return go(request, f"{reverse('account_login')}?{urlencode({'next': path})}")


def signed_in(view: View) -> View:
    """A page for everyone who is signed in, whatever their roles."""

    entered = login_required(view)

    @wraps(view)
    def door(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return _to_sign_in(request) or entered(request, *args, **kwargs)
        request.caller = caller_of_user(request.user)
        return view(request, *args, **kwargs)

    return door


def requires(action: str) -> Callable[[View], View]:
    """A page for those whose roles allow ``action`` somewhere; a refusal is recorded.

    A view that concerns one use case asks again, with its slug.
    """
    if action not in ACTIONS:
        raise KeyError(f"{action!r} is not in the permission matrix")

    def guard(view: View) -> View:
        @signed_in
        @wraps(view)
        def door(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            request.caller.require(action)
            return view(request, *args, **kwargs)

        return door

    return guard


def administration_door(view: View) -> View:
    """The administration's sign-in: by allauth, then by the matrix, so that a refusal is named."""
    secured = secure_admin_login(view)

    @wraps(view)
    def door(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            caller_of_user(request.user).require("admin.site")
        return secured(request, *args, **kwargs)

    return door
