"""What every page's frame needs."""

from __future__ import annotations

from typing import Any

from apps.accounts.callers import caller_of_user
from apps.web.navigation import sections_for


def frame(request: Any) -> dict[str, Any]:
    """The navigation of the one who is signed in; nothing for a stranger."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    match = getattr(request, "resolver_match", None)
    return {
        "navigation": sections_for(caller_of_user(user)),
        "current_page": match.view_name if match else "",
    }
