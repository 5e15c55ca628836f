"""Pages: times in the person's zone; platform errors become pages, a refusal is recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import is_valid_path
from django.utils import timezone

from apps.accounts.domain.matrix import ACTIONS
from apps.accounts.models import RoleGrant
from apps.audit.events import ANONYMOUS, record_refusal
from apps.common.errors import BadInput, Conflict, NotFound, NotPermitted, PlatformError
from apps.registry.models import DecisionRight

log = logging.getLogger(__name__)
LARGEST_FORM: Final = 5 * 1024 * 1024  # bytes; the largest is a policy with all its rules


class FormTooLarge(BadInput):
    """More than any form of a page holds; it was not read."""

    code = "form_too_large"
    title = "That is too large"


STATUS = {FormTooLarge: 413, BadInput: 400, NotPermitted: 403, NotFound: 404, Conflict: 409}
PROGRAMS = "/api/"


class RefusalMiddleware:
    """Turns platform errors raised by page views into pages; API views answer for themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(PROGRAMS):
            return self.get_response(request)  # programs are answered in UTC
        with timezone.override(zone_of(request.user)):
            return self._too_large(request) or self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        """A form that was refused is shown at the address that it was sent to; who loads that
        address anew is led to the page that the form stands on."""
        response = self.get_response(request)
        if response.status_code == 405 and request.method in ("GET", "HEAD"):
            return HttpResponseRedirect(_page_above(request.path))
        return response

    def _too_large(self, request: HttpRequest) -> HttpResponse | None:
        """Before anything reads the body: Django would write a file of any size to its disk."""
        size = int(request.META.get("CONTENT_LENGTH") or 0)
        if size <= LARGEST_FORM:
            return None
        words = (
            f"{size:,} bytes were sent; a form takes at most {LARGEST_FORM:,}, and no page takes a "
            "file. Programs send batches to /api/v1/decisions/batch/, and manage.py ingest reads files."
        )
        return self.process_exception(request, FormTooLarge(words))

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, PermissionDenied):
            page = f"page {request.path}"[:60]
            exception = NotPermitted("Your roles do not allow this page.", action=page)
        if not isinstance(exception, PlatformError):
            return None
        if isinstance(exception, NotPermitted):
            _record(request, exception)
        status = next((s for cls, s in STATUS.items() if isinstance(exception, cls)), 500)
        if status == 500:
            log.error("%s: %s", request.path, exception, exc_info=exception)
        context = {
            "problem": exception,
            "status": status,
            "ask": whom_to_ask(request, exception),
            "able": who_may(request, exception),
        }
        return render(request, "web/problem.html", context, status=status)


def _page_above(path: str) -> str:
    """The nearest address above that leads anywhere."""
    while path != "/":
        path = path[: path.rstrip("/").rindex("/") + 1]
        if is_valid_path(path):
            return path
    return path


def zone_of(user: Any) -> ZoneInfo:
    """The zone a person chose; UTC for a stranger, or where the system lacks the zone."""
    try:
        return ZoneInfo(getattr(user, "time_zone", "") or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def whom_to_ask(request: Any, problem: Exception) -> list[str]:
    """Names of administrators, who can grant the role that was missing."""
    user = getattr(request, "user", None)
    if not isinstance(problem, NotPermitted) or user is None or not user.is_authenticated:
        return []
    grants = RoleGrant.objects.filter(
        role__in=ACTIONS["role.grant"].roles, use_case="", user__is_active=True, user__signs_in=True
    )
    return list(grants.order_by("user__name").values_list("user__name", flat=True)[:5])


def who_may(request: Any, problem: Exception) -> list[str]:
    """Names of others who may do in this use case what was refused: by role and, where the right
    has holders, as one of them."""
    user = getattr(request, "user", None)
    if not isinstance(problem, NotPermitted) or not problem.use_case or user is None:
        return []
    entry = ACTIONS.get(problem.action)
    if entry is None or not user.is_authenticated:
        return []
    grants = RoleGrant.objects.filter(
        role__in=entry.roles,
        use_case__in=("", problem.use_case),
        user__is_active=True,
        user__signs_in=True,
    ).exclude(user=user.pk)
    if entry.right is not None:
        holders = DecisionRight.objects.filter(use_case=problem.use_case, right=entry.right)
        named = list(holders.values_list("person", flat=True))
        grants = grants.filter(user__in=named) if named else grants
    names = grants.order_by("user__name").values_list("user__name", flat=True)
    return list(names.distinct()[:5])


def _record(request: Any, refusal: NotPermitted) -> None:
    user = getattr(request, "user", None)
    actor = user.actor if user is not None and user.is_authenticated else ANONYMOUS
    record_refusal(actor, refusal, address=request.META.get("REMOTE_ADDR"), door="page")
