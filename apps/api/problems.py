"""Every error of the API as an RFC 9457 problem document; one table from error to status."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.signals import got_request_exception
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.views import set_rollback

from apps.accounts.callers import Caller
from apps.audit.events import ANONYMOUS, Event, record_repeatable, source_of
from apps.common import errors
from apps.common.saving import bad_input_from

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[errors.PlatformError], int] = {
    errors.BadInput: 400,
    errors.NotPermitted: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.LedgerBroken: 503,
    errors.KeyFileError: 503,
}


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    field_errors: list[errors.FieldError] | None = None,
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": f"urn:hitl-platform:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if field_errors:
        document["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in field_errors]
    return document


def problem_response(exception: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler."""
    request = context.get("request")
    error = _of_framework(exception)
    if isinstance(error, errors.PlatformError) and _status(error) < 500:
        return _of_platform_error(error, request)
    if isinstance(error, exceptions.APIException):
        return _of_api_exception(error, request)
    return _of_failure(error, request)


def _of_framework(exception: Exception) -> Exception:
    """Django's own errors as the platform's."""
    if isinstance(exception, PermissionDenied):
        return errors.NotPermitted(str(exception) or "you may not do this", action="api")
    if isinstance(exception, Http404):
        return errors.NotFound("there is no such thing here")
    if isinstance(exception, ValidationError):
        return bad_input_from(exception)
    return exception


def _status(error: errors.PlatformError) -> int:
    return next((status for cls, status in STATUS.items() if isinstance(error, cls)), 500)


def _respond(document: dict[str, Any], headers: dict[str, str] | None = None) -> HttpResponse:
    """JSON whatever was asked for: an error has to be readable where text was wanted."""
    set_rollback()
    content = json.dumps(document, ensure_ascii=True)
    return HttpResponse(
        content, content_type=MEDIA_TYPE, status=document["status"], headers=headers
    )


def _of_platform_error(error: errors.PlatformError, request: Any) -> HttpResponse:
    if isinstance(error, errors.NotPermitted):
        record_refusal(request, "permission_refused", error.action, error.use_case or "")
    field_errors = error.errors if isinstance(error, errors.BadInput) else None
    document = problem(_status(error), error.code, error.title, str(error), field_errors)
    if isinstance(error, errors.StaleCase):
        document["difference"] = error.difference
    return _respond(document)


def _of_api_exception(error: exceptions.APIException, request: Any) -> HttpResponse:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait_s := getattr(error, "wait", None):
        headers["Retry-After"] = str(wait_s)
    code = error.get_codes() if isinstance(error.get_codes(), str) else error.default_code
    if code == "key_refused":
        record_refusal(request, "key_refused", "api", "")
    elif isinstance(error, exceptions.PermissionDenied):
        record_refusal(request, "permission_refused", "csrf", "")
    detail = error.detail if isinstance(error.detail, str) else "; ".join(map(str, error.detail))
    title = HTTPStatus(error.status_code).phrase
    return _respond(problem(error.status_code, str(code), title, str(detail)), headers)


def _of_failure(error: Exception, request: Any) -> HttpResponse:
    """The platform's own fault: logged and signalled as Django does; the words stay inside."""
    logger.error("the API failed", exc_info=error)
    got_request_exception.send(sender=problem_response, request=request)
    if isinstance(error, errors.PlatformError):
        return _respond(
            problem(_status(error), error.code, error.title, "an operator has to look at it")
        )
    return _respond(problem(500, "failure", "The platform failed", "the failure has been logged"))


def record_refusal(request: Any, kind: str, action: str, use_case: str) -> None:
    """The refusal itself is a record, in a transaction of its own."""
    caller = getattr(request, "_user", None)
    actor = caller.actor if isinstance(caller, Caller) else ANONYMOUS
    source = source_of(request.META.get("REMOTE_ADDR") if request is not None else None)
    detail = {"source": source, "door": "api"}
    event = Event(kind, actor, action=action, use_case=use_case, detail=detail)
    record_repeatable(event, source=source)
