"""``decision-rights/``: who may do what in one use case."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from pydantic import Field

from apps.accounts.callers import Caller
from apps.accounts.domain.matrix import RIGHTS
from apps.api.bodies import Body, Document, ListQuery, LoginOut, Name, OneOf, Reason, Slug
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.lookups import found_or_404, person_named, use_case_for
from apps.registry.models import DecisionRight
from apps.registry.services import decision_right_grant, decision_right_revoke

RightName = Annotated[str, OneOf(RIGHTS)]


class DecisionRightCreate(Body):
    use_case: Slug
    right: RightName
    person: Name = Field(description="Login of the person.")
    reason: Reason


class DecisionRightEnd(Body):
    reason: Reason


class DecisionRightDocument(Document):
    id: UUID
    use_case: str = Field(validation_alias="use_case_id")
    right: RightName
    person: LoginOut


class DecisionRightQuery(ListQuery):
    use_case: Slug | None = None


class DecisionRightsView(ApiView):
    actions = {"GET": "rights.view", "POST": "rights.edit"}

    @operation(
        "List decision rights",
        returns=DecisionRightDocument,
        listed=True,
        query=DecisionRightQuery,
        problems={404},
    )
    def get(self, caller: Caller, query: DecisionRightQuery) -> Any:
        """Where a right has holders in a use case, only they may use it there. Newest first."""
        rights = _visible_rights(caller)
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "rights.view")
            rights = rights.filter(use_case_id=query.use_case)
        return self.page(rights, DecisionRightDocument.model_validate)

    @operation(
        "Grant a decision right",
        returns=DecisionRightDocument,
        status=201,
        body=DecisionRightCreate,
        problems={404, 409},
    )
    def post(self, caller: Caller, body: DecisionRightCreate) -> Created:
        use_case = use_case_for(caller, body.use_case, "rights.edit")
        right = decision_right_grant(
            actor=caller.actor,
            use_case=use_case,
            right=body.right,
            person=person_named(body.person, "/person"),
            reason=body.reason,
        )
        location = reverse("api:decision-right", kwargs={"id": right.pk})
        return Created(DecisionRightDocument.model_validate(right), location)


class DecisionRightView(ApiView):
    actions = {"GET": "rights.view", "DELETE": "rights.edit"}

    @operation("Read a decision right", returns=DecisionRightDocument)
    def get(self, caller: Caller, id: UUID) -> DecisionRightDocument:
        return DecisionRightDocument.model_validate(_right(caller, id))

    @operation("Revoke a decision right", returns=None, status=204, body=DecisionRightEnd)
    def delete(self, caller: Caller, id: UUID, body: DecisionRightEnd) -> None:
        right = _right(caller, id)
        use_case_for(caller, right.use_case_id, "rights.edit")
        decision_right_revoke(actor=caller.actor, right=right, reason=body.reason)


def _visible_rights(caller: Caller) -> QuerySet[DecisionRight]:
    slugs = caller.visible("rights.view")
    rights: QuerySet[DecisionRight] = DecisionRight.objects.select_related("person")
    return rights if slugs is None else rights.filter(use_case_id__in=slugs)


def _right(caller: Caller, key: UUID) -> DecisionRight:
    right: DecisionRight = found_or_404(_visible_rights(caller), f"decision right {key}", pk=key)
    return right
