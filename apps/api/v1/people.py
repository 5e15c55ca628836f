"""``people/``, their roles, and ``me/``."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.urls import reverse
from pydantic import Field

from apps.accounts.callers import Caller
from apps.accounts.domain.matrix import ACTIONS, PEOPLE, ROLES, Role
from apps.accounts.models import RoleGrant, User
from apps.accounts.services import person_create, person_update, role_grant, role_revoke
from apps.api.bodies import (
    Body,
    Document,
    Flag,
    ListQuery,
    Login,
    Name,
    OneOf,
    OptionalReason,
    Reason,
    Scope,
    Text,
    optional,
)
from apps.api.operations import ApiView, Created, operation
from apps.api.permissions import SIGNED_IN
from apps.api.v1.lookups import found_or_404, scope_for
from apps.common.actor import ActorKind

RoleOfPerson = Annotated[str, OneOf(role for role in ROLES if role in PEOPLE)]
Email = Annotated[str, Text(254)]
ZoneName = Annotated[str, Text(64, shortest=1)]


class PersonCreate(Body):
    """No password: no program should know one. It is set by a reset or by an administrator."""

    username: Login
    name: Name = optional("Default: the login.")
    email: Email = optional()
    reason: OptionalReason = ""


class PersonUpdate(Body):
    name: Name = optional()
    email: Email = optional()
    is_active: Flag = optional("False: signed out for good; the records stay.")
    time_zone: ZoneName = optional("Of the IANA database, such as Europe/Paris.")
    reason: Reason


class PersonDocument(Document):
    id: UUID
    username: str
    name: str
    email: str
    is_active: bool
    signs_in: bool
    time_zone: str


class RoleGrantCreate(Body):
    role: RoleOfPerson
    use_case: Scope = Field("", description="Empty: in all use cases.")
    reason: OptionalReason = ""


class RoleGrantEnd(Body):
    reason: Reason


class RoleGrantDocument(Document):
    id: UUID
    role: RoleOfPerson
    use_case: str


class HeldRole(Document):
    role: Role
    use_case: str


class AllowedAction(Document):
    action: str
    words: str
    use_cases: list[str] | None = Field(description="Null: in all use cases.")


class MeDocument(Document):
    kind: ActorKind
    id: str
    name: str
    roles: list[HeldRole]
    actions: list[AllowedAction]


class PeopleView(ApiView):
    actions = {"GET": "person.view", "POST": "person.edit"}
    ordering = "username"

    @operation("List people", returns=PersonDocument, listed=True, query=ListQuery)
    def get(self, caller: Caller, query: ListQuery) -> Any:
        return self.page(User.objects.all(), PersonDocument.model_validate)

    @operation(
        "Create a person", returns=PersonDocument, status=201, body=PersonCreate, problems={409}
    )
    def post(self, caller: Caller, body: PersonCreate) -> Created:
        person = person_create(actor=caller.actor, reason=body.reason, **body.sent())
        location = reverse("api:person", kwargs={"username": person.username})
        return Created(PersonDocument.model_validate(person), location)


class PersonView(ApiView):
    actions = {"GET": "person.view", "PATCH": "person.edit"}

    @operation("Read a person", returns=PersonDocument)
    def get(self, caller: Caller, username: str) -> PersonDocument:
        return PersonDocument.model_validate(_person(username))

    @operation("Change or deactivate a person", returns=PersonDocument, body=PersonUpdate)
    def patch(self, caller: Caller, username: str, body: PersonUpdate) -> PersonDocument:
        """People are deactivated, never deleted: their name stays in the records."""
        person = _person(username)
        changed = person_update(actor=caller.actor, user=person, reason=body.reason, **body.sent())
        return PersonDocument.model_validate(changed)


class PersonRolesView(ApiView):
    actions = {"GET": "person.view", "POST": "role.grant"}

    @operation("List a person's roles", returns=RoleGrantDocument, listed=True, query=ListQuery)
    def get(self, caller: Caller, username: str, query: ListQuery) -> Any:
        return self.page(_person(username).role_grants.all(), RoleGrantDocument.model_validate)

    @operation(
        "Grant a role", returns=RoleGrantDocument, status=201, body=RoleGrantCreate, problems={409}
    )
    def post(self, caller: Caller, username: str, body: RoleGrantCreate) -> Created:
        person = _person(username)
        grant = role_grant(
            actor=caller.actor,
            user=person,
            role=body.role,
            use_case=scope_for(caller, body.use_case),
            reason=body.reason,
        )
        names = {"username": person.username, "id": grant.pk}
        return Created(
            RoleGrantDocument.model_validate(grant), reverse("api:person-role", kwargs=names)
        )


class PersonRoleView(ApiView):
    actions = {"GET": "person.view", "DELETE": "role.grant"}

    @operation("Read a role that a person holds", returns=RoleGrantDocument)
    def get(self, caller: Caller, username: str, id: UUID) -> RoleGrantDocument:
        return RoleGrantDocument.model_validate(_grant(username, id))

    @operation("Revoke a role", returns=None, status=204, body=RoleGrantEnd)
    def delete(self, caller: Caller, username: str, id: UUID, body: RoleGrantEnd) -> None:
        role_revoke(actor=caller.actor, grant=_grant(username, id), reason=body.reason)


class MeView(ApiView):
    actions = {"GET": SIGNED_IN}

    @operation("Read who you are and what you may do", returns=MeDocument)
    def get(self, caller: Caller) -> MeDocument:
        return MeDocument(
            kind=caller.actor.kind,
            id=caller.actor.id,
            name=caller.actor.name,
            roles=[HeldRole.model_validate(grant) for grant in caller.grants],
            actions=[
                AllowedAction(action=name, words=entry.words, use_cases=_slugs(caller, name))
                for name, entry in ACTIONS.items()
                if caller.may(name)
            ],
        )


def _slugs(caller: Caller, action: str) -> list[str] | None:
    slugs = caller.visible(action)
    return None if slugs is None else sorted(slugs)


def _person(username: str) -> User:
    login = User.normalize_username(username)
    person: User = found_or_404(User.objects, f"person {username!r}", username=login)
    return person


def _grant(username: str, key: UUID) -> RoleGrant:
    grants = _person(username).role_grants
    grant: RoleGrant = found_or_404(grants.all(), f"role {key} of {username!r}", pk=key)
    return grant
