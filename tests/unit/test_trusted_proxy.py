"""The caller's address behind a reverse proxy."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from apps.web.proxy import TrustedProxyMiddleware


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7", "203.0.113.7"),  # the first is the caller's own word
        ("", "127.0.0.1"),
        ("1.1.1.1, ", "127.0.0.1"),
    ],
)
def test_the_address_is_the_one_the_proxy_appended(forwarded: str, expected: str) -> None:
    seen: list[str] = []

    def view(request: Any) -> HttpResponse:
        seen.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    TrustedProxyMiddleware(view)(RequestFactory().get("/", headers={"X-Forwarded-For": forwarded}))
    assert seen == [expected]
