"""Behind a reverse proxy: the caller's address is the one that the proxy saw, no other."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class TrustedProxyMiddleware:
    """Sets REMOTE_ADDR to the last entry of X-Forwarded-For, which the proxy itself appended.

    Wired only where BEHIND_PROXY says that every request comes through that proxy: earlier
    entries are the caller's own words.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        seen = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if seen:
            request.META["REMOTE_ADDR"] = seen
        return self.get_response(request)
