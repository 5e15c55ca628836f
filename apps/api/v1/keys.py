"""``keys/``: the service keys of programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from pydantic import Field

from apps.accounts.callers import Caller
from apps.accounts.domain.matrix import Role
from apps.accounts.models import ServiceKey
from apps.accounts.services import service_key_create, service_key_revoke
from apps.api.bodies import (
    Body,
    Document,
    ListQuery,
    Login,
    LoginOut,
    Moment,
    Name,
    OptionalReason,
    Reason,
    Scope,
)
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.lookups import found_or_404, person_named, scope_for


class KeyCreate(Body):
    name: Name
    role: Role
    use_case: Scope = Field("", description="Empty: in all use cases.")
    issued_to: Login | None = Field(
        None, description="The login of who holds the key: where two people are needed, it is them."
    )
    expires_at: Moment | None = Field(None, description="Null: it does not expire.")
    reason: OptionalReason = ""


class KeyRevocation(Body):
    reason: Reason


class KeyDocument(Document):
    id: UUID
    name: str
    prefix: str
    role: Role
    use_case: str
    issued_to: LoginOut | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, row: ServiceKey, **more: Any) -> KeyDocument:
        last_used_at = row.use.last_used_at if hasattr(row, "use") else None
        names = ("name", "prefix", "role", "use_case", "issued_to", "expires_at", "revoked_at")
        return cls(
            id=row.pk,
            last_used_at=last_used_at,
            **{name: getattr(row, name) for name in names},
            **more,
        )


class NewKeyDocument(KeyDocument):
    key: str = Field(description="The key itself. It is shown this once and kept nowhere.")


class KeysView(ApiView):
    actions = {"GET": "key.view", "POST": "key.edit"}

    @operation("List service keys", returns=KeyDocument, listed=True, query=ListQuery)
    def get(self, caller: Caller, query: ListQuery) -> Any:
        """Newest first, revoked and expired ones too."""
        return self.page(_keys(), KeyDocument.of)

    @operation(
        "Create a service key", returns=NewKeyDocument, status=201, body=KeyCreate, problems={404}
    )
    def post(self, caller: Caller, body: KeyCreate) -> Created:
        """The answer holds the key itself, this once."""
        row, secret = service_key_create(
            actor=caller.actor,
            name=body.name,
            role=body.role,
            use_case=scope_for(caller, body.use_case),
            issued_to=person_named(body.issued_to, "/issued_to") if body.issued_to else None,
            expires_at=body.expires_at,
            reason=body.reason,
        )
        return Created(
            NewKeyDocument.of(row, key=secret), reverse("api:key", kwargs={"id": row.pk})
        )


class KeyView(ApiView):
    actions = {"GET": "key.view"}

    @operation("Read a service key", returns=KeyDocument)
    def get(self, caller: Caller, id: UUID) -> KeyDocument:
        return KeyDocument.of(found_or_404(_keys(), f"service key {id}", pk=id))


class KeyRevocationView(ApiView):
    actions = {"POST": "key.edit"}

    @operation("Revoke a service key", returns=KeyDocument, body=KeyRevocation, problems={409})
    def post(self, caller: Caller, id: UUID, body: KeyRevocation) -> KeyDocument:
        """It is refused from the next request on."""
        key = found_or_404(_keys(), f"service key {id}", pk=id)
        return KeyDocument.of(service_key_revoke(actor=caller.actor, key=key, reason=body.reason))


def _keys() -> QuerySet[ServiceKey]:
    keys: QuerySet[ServiceKey] = ServiceKey.objects.select_related("use", "issued_to")
    return keys
