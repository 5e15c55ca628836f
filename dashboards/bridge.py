"""Dash behind Django: every request of a Dash app passes all middleware and a door of its own.

A page and its callbacks are answered by the same view, so that a permission that closes the page
closes the callbacks. The one who asks is taken from Django's request, never from the body.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import flask
from dash import Dash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import ensure_csrf_cookie
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from apps.accounts.callers import Caller, caller_of_user
from apps.audit.events import record_refusal
from apps.common.errors import NotPermitted

ASKED = "human_oversight.request"
NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "content-encoding"}
PROGRAMS = "_dash-"


def asking() -> Caller:
    """The person whose request a callback answers."""
    return caller_of_user(_request().user)


def _request() -> Any:
    return flask.request.environ[ASKED]


def refusal_recorded(refusal: NotPermitted) -> None:
    """A refusal inside a callback, whose answer is shown in the page."""
    address = _request().META.get("REMOTE_ADDR")
    record_refusal(asking().actor, refusal, address=address, door="dashboard")


def page_request() -> Any:
    """Django's request, while Dash writes its page."""
    return _request()


def dash_urls(app: Dash, slug: str, action: str) -> list[URLPattern]:
    """The address of a dashboard and of all that belongs to it."""

    def answer(request: HttpRequest, rest: str = "") -> HttpResponse:
        caller_of_user(request.user).require(action)  # type: ignore[arg-type]
        return _through(app, request)

    door = _door(answer)
    return [
        path(f"{slug}/", door, name=f"dashboard_{slug}"),
        re_path(rf"^{slug}/(?P<rest>.+)$", door),
    ]


def _door(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Sign in first; a callback of a session that ended is told so, and not sent a page."""
    guarded = login_required(ensure_csrf_cookie(view))

    def door(request: HttpRequest, rest: str = "") -> HttpResponse:
        if rest.startswith(PROGRAMS) and not request.user.is_authenticated:
            return HttpResponse("The session has ended: sign in again.", status=401)
        found: HttpResponse = guarded(request, rest)
        return found

    return door


def _through(app: Dash, request: HttpRequest) -> HttpResponse:
    environ = EnvironBuilder(
        path=request.path,
        method=request.method or "GET",
        query_string=request.META.get("QUERY_STRING", ""),
        headers=list(request.headers.items()),
        input_stream=BytesIO(request.body),
        base_url=f"{request.scheme}://{request.get_host()}/",
    ).get_environ()
    environ[ASKED] = request
    made = Response.from_app(app.server, environ, buffered=True)
    answer = HttpResponse(made.get_data(), status=made.status_code)
    for name, value in made.headers.items():
        if name.lower() not in NOT_PASSED_ON:
            answer[name] = value
    return answer
