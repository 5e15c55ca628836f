"""Who calls the API: a program by its key, or a person by the session of the pages."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions

from apps.accounts.callers import Caller, caller_of_key, caller_of_user
from apps.accounts.services import service_key_find


class ServiceKeyAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer <key>``; request.user is then the Caller."""

    def authenticate(self, request: Any) -> tuple[Caller, Any] | None:
        scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        key = service_key_find(presented.strip())
        if key is None:
            raise exceptions.AuthenticationFailed(
                "the key is unknown, revoked or expired", code="key_refused"
            )
        return caller_of_key(key), key

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="api"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The session, with CSRF enforced; request.user is then the Caller."""

    def authenticate(self, request: Any) -> tuple[Caller, None] | None:
        found = super().authenticate(request)
        return None if found is None else (caller_of_user(found[0]), None)


class ServiceKeyScheme(OpenApiAuthenticationExtension):
    target_class = ServiceKeyAuthentication
    name = "serviceKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A service key, shown once when made.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
