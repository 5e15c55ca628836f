"""``Idempotency-Key``: a request that is sent again gets the answer of the first time, byte for byte.

A key belongs to its caller and to the request it came with. It is claimed before the work and
keeps the answer after it. Only what succeeded is kept: a refused request did nothing, and its key
is free for a corrected one. A mark without an answer is of work that runs, or of a process that
died: after a minute the next request takes it over, which is safe since a decision that is there
already is answered and not made again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import IO, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from apps.common.errors import BadInput, Conflict
from apps.decisions.models import StoredAnswer

HEADER = "Idempotency-Key"
FORM = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?")
KEPT = timedelta(hours=24)
RUNNING = timedelta(minutes=1)
PIECE = 1024 * 1024


class KeyReusedError(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = f"this {HEADER} came with another request before"


def answered_once(request: Any, data: object, perform: Callable[[], Any]) -> Any:
    """``perform``'s answer, or the one that is kept under the request's key."""
    key = request.headers.get(HEADER)
    if key is None:
        return perform()
    if not FORM.fullmatch(key):
        raise BadInput(f"{key[:80]!a} is not a key of 1 to 200 printable characters", f"/{HEADER}")
    claim = _claim(request.user.actor.id, key, _fingerprint(request, data))
    if claim.body is not None:
        return _restored(claim)
    try:
        response = _plain(perform())
        if response.status_code < 300:
            _keep(claim, response)
            return response
    except BaseException:
        _free(claim)
        raise
    _free(claim)
    return response


def _claim(caller: str, key: str, body_hash: str) -> StoredAnswer:
    """The caller's key: newly marked as running, or with the answer that is kept."""
    now = timezone.now()
    try:
        with transaction.atomic():
            return StoredAnswer.objects.create(
                caller=caller, key=key, body_hash=body_hash, created_at=now
            )
    except IntegrityError:
        pass
    with transaction.atomic():
        found = StoredAnswer.objects.select_for_update().filter(caller=caller, key=key).first()
        if found is None or (found.body is None and found.created_at > now - RUNNING):
            raise Conflict(f"the request with the {HEADER} {key!r} is still running")
        if found.created_at > now - KEPT and found.body_hash != body_hash:
            raise KeyReusedError
        if found.body is None or found.created_at <= now - KEPT:
            found.status = found.body = None
            found.body_hash, found.created_at = body_hash, now
            found.save()
        return found


def _keep(claim: StoredAnswer, response: HttpResponse) -> None:
    """Unless somebody took the mark over meanwhile: then theirs is the answer that is kept."""
    kept = {"headers": dict(response.items()), "content": response.content.decode()}
    _mine(claim).update(status=response.status_code, body=json.dumps(kept))


def _free(claim: StoredAnswer) -> None:
    _mine(claim).delete()


def _mine(claim: StoredAnswer) -> Any:
    return StoredAnswer.objects.filter(pk=claim.pk, created_at=claim.created_at, body=None)


def _restored(claim: StoredAnswer) -> HttpResponse:
    kept = json.loads(str(claim.body))
    return HttpResponse(kept["content"], status=claim.status, headers=kept["headers"])


def _plain(response: Any) -> Any:
    """The answer as bytes: what is sent now is what is kept."""
    if isinstance(response, Response):
        content: Any = json.dumps(response.data, ensure_ascii=False, separators=(",", ":"))
        headers = {**response.headers, "Content-Type": "application/json"}
        return HttpResponse(content, status=response.status_code, headers=headers)
    if isinstance(response, StreamingHttpResponse):
        media_type = response.headers["Content-Type"]
        content = response.getvalue()
        return HttpResponse(content, status=response.status_code, content_type=media_type)
    return response


def _fingerprint(request: Any, data: object) -> str:
    """A keyed hash, since a plain one of short content could be guessed."""
    digest = hmac.new(settings.PSEUDONYM_KEY.encode(), digestmod=hashlib.sha256)
    digest.update(f"{request.path}\n{request.accepted_media_type}\n".encode())
    for piece in _content(data):
        digest.update(piece)
    return digest.hexdigest()


def _content(data: Any) -> Iterable[bytes]:
    if isinstance(data, bytes):
        return [data]
    if hasattr(data, "read"):
        return _pieces(data)
    return [json.dumps(data, sort_keys=True).encode()]


def _pieces(file: IO[bytes]) -> Iterable[bytes]:
    while piece := file.read(PIECE):
        yield piece
    file.seek(0)


def sweep(now: datetime) -> int:
    """Forget what is older than a day; returns how many answers that were."""
    return StoredAnswer.objects.filter(created_at__lte=now - KEPT).delete()[0]
