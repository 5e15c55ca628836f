"""The matrix at the door: each view names the action of each of its methods."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission

from apps.accounts.callers import Caller
from apps.common.errors import NotPermitted

PUBLIC = "public"  # anyone, without credentials
SIGNED_IN = "signed_in"  # any person or program, whatever its roles


class MayDoAction(BasePermission):
    """Reads ``view.actions[method]``; a method without an action is refused (fail closed).

    This asks whether the caller may do it anywhere at all; the view asks again for the use case.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.method not in view.allowed_methods:
            return True  # answered with 405
        method = "GET" if request.method == "HEAD" else request.method
        action = getattr(view, "actions", {}).get(method)
        if action == PUBLIC:
            return True
        if not isinstance(request.user, Caller):
            return False
        if action is None:
            raise NotPermitted("this door has no entry in the permission matrix", action="unlisted")
        if action != SIGNED_IN:
            request.user.require(action)
        return True
