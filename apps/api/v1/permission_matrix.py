"""``permission-matrix/``: which role may do what, as the platform enforces it."""

from __future__ import annotations

from apps.accounts.callers import Caller
from apps.accounts.domain.matrix import ACTIONS, ROLES
from apps.api.bodies import Document
from apps.api.operations import ApiView, operation
from apps.api.permissions import SIGNED_IN


class ActionDocument(Document):
    action: str
    words: str
    roles: list[str]
    scoped: bool
    right: str | None


class MatrixDocument(Document):
    roles: list[str]
    actions: list[ActionDocument]


class PermissionMatrixView(ApiView):
    # No secret: whoever is refused is told which roles would be allowed.
    actions = {"GET": SIGNED_IN}

    @operation("Read the permission matrix", returns=MatrixDocument)
    def get(self, caller: Caller) -> MatrixDocument:
        """Scoped actions are allowed in the use case that a role is limited to; others take an
        unlimited role. Where `right` has holders in a use case, only they may do it there."""
        actions = [
            ActionDocument(
                action=name,
                words=entry.words,
                roles=[role for role in ROLES if role in entry.roles],
                scoped=entry.scoped,
                right=entry.right,
            )
            for name, entry in ACTIONS.items()
        ]
        return MatrixDocument(roles=list(ROLES), actions=actions)
