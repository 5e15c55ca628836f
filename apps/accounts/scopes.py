"""Whether a use case exists that a role or a key is to be limited to.

Use cases stand above accounts, which does not know them: the registry says it when it is ready.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.common.errors import BadInput
from apps.common.saving import refuse_unstorable

_known: list[Callable[[str], bool]] = []


def know_scopes(exists: Callable[[str], bool]) -> None:
    """``exists`` answers for a slug."""
    _known[:] = [exists]


def require_scope(slug: str) -> str:
    """``slug``, empty or of a use case that exists: a mistyped one would grant nothing."""
    refuse_unstorable(use_case=slug)
    if slug and not all(exists(slug) for exists in _known):
        raise BadInput(f"there is no use case {slug!r}", "/use_case")
    return slug
