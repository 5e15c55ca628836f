"""When and from where each session was last used, which its owner sees in the list of sessions."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from allauth.account.adapter import get_adapter
from allauth.usersessions.middleware import UserSessionsMiddleware
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.http import HttpRequest

EVERY_S: Final = 60


class SessionActivityMiddleware(UserSessionsMiddleware):
    """Notes a use when a minute has passed since the last note, and at once where the address or the
    browser is another one. A row each request would be a commit each request."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.session.session_key and request.user.is_authenticated:
            _note(request)
        return self.get_response(request)


def _note(request: HttpRequest) -> None:
    key = hashlib.sha256(str(request.session.session_key).encode()).hexdigest()
    place = f"session-used:{key}"
    used = [get_adapter().get_client_ip(request), request.headers.get("User-Agent", "")]
    if cache.get(place) != used:
        UserSession.objects.create_from_request(request)
        cache.set(place, used, EVERY_S)
