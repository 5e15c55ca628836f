"""``mandates/``: what a commander lets the AI release by itself, and what is used of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from pydantic import Field, StrictInt, StrictStr, WithJsonSchema

from apps.accounts.callers import Caller
from apps.api.bodies import (
    Body,
    DecimalOut,
    Document,
    Line,
    ListQuery,
    LoginOut,
    Moment,
    Reason,
    Slug,
)
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.lookups import found_or_404, use_case_for
from apps.api.v1.policies import CONDITION
from apps.registry.access import require_right
from apps.supervision.mandates import mandate_issue, mandate_revoke
from apps.supervision.models import Mandate
from apps.supervision.selectors import mandate_account

StateName = Literal["scheduled", "in_force", "used_up", "over", "revoked"]


class MandateIssue(Body):
    use_case: Slug
    scope: Annotated[Any, WithJsonSchema(CONDITION)] = Field(
        description='Which decisions it covers, as a condition; `{"all": []}` covers every one.'
    )
    max_count: StrictInt | None = Field(None, description="1 or more; left out, no limit.")
    max_amount: StrictStr | None = Field(
        None, description='A decimal above 0, such as "50000.00"; left out, no limit.'
    )
    valid_from: Moment | None = Field(None, description="Left out: from now on.")
    valid_to: Moment
    name: Line = ""
    reason: Reason


class MandateRevocation(Body):
    reason: Reason


class MandateDocument(Document):
    id: UUID
    use_case: str
    name: str
    scope: dict[str, Any]
    max_count: int | None
    max_amount: DecimalOut | None
    valid_from: datetime
    valid_to: datetime
    issued_by: LoginOut | None = Field(description="Null where a program or a command issued it.")
    issued_at: datetime
    revoked_at: datetime | None
    state: StateName
    used_count: int
    used_amount: DecimalOut
    left_count: int | None
    left_amount: DecimalOut | None

    @classmethod
    def of(cls, row: Mandate) -> MandateDocument:
        own = ("name", "scope", "max_count", "max_amount", "valid_from", "valid_to")
        return cls(
            id=row.pk,
            use_case=row.use_case_id,
            **{name: getattr(row, name) for name in (*own, "issued_by", "issued_at", "revoked_at")},
            **mandate_account(row, timezone.now())._asdict(),
        )


class MandateQuery(ListQuery):
    use_case: Slug | None = None


class MandatesView(ApiView):
    actions = {"GET": "mandate.view", "POST": "mandate.issue"}

    @operation(
        "List mandates", returns=MandateDocument, listed=True, query=MandateQuery, problems={404}
    )
    def get(self, caller: Caller, query: MandateQuery) -> Any:
        """Newest first, those that are over too, each with what is used and left of it."""
        mandates = _visible_mandates(caller)
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "mandate.view")
            mandates = mandates.filter(use_case_id=query.use_case)
        return self.page(mandates, MandateDocument.of)

    @operation(
        "Issue a mandate", returns=MandateDocument, status=201, body=MandateIssue, problems={404}
    )
    def post(self, caller: Caller, body: MandateIssue) -> Created:
        """While it holds, the AI releases what it covers, up to its limits."""
        use_case = use_case_for(caller, body.use_case, "mandate.issue")
        mandate = mandate_issue(
            actor=caller.actor,
            use_case=use_case,
            reason=body.reason,
            **body.model_dump(exclude={"use_case", "reason"}),
        )
        location = reverse("api:mandate", kwargs={"id": mandate.pk})
        return Created(MandateDocument.of(_mandate(caller, mandate.pk)), location)


class MandateView(ApiView):
    actions = {"GET": "mandate.view"}

    @operation("Read a mandate", returns=MandateDocument)
    def get(self, caller: Caller, id: UUID) -> MandateDocument:
        return MandateDocument.of(_mandate(caller, id))


class MandateRevocationView(ApiView):
    actions = {"POST": "mandate.issue"}

    @operation("Revoke a mandate", returns=MandateDocument, body=MandateRevocation, problems={409})
    def post(self, caller: Caller, id: UUID, body: MandateRevocation) -> MandateDocument:
        """Nothing more is released under it; what was stays released."""
        mandate = _mandate(caller, id)
        require_right(caller, "mandate.issue", mandate.use_case_id)
        revoked = mandate_revoke(actor=caller.actor, mandate=mandate, reason=body.reason)
        return MandateDocument.of(revoked)


def _visible_mandates(caller: Caller) -> QuerySet[Mandate]:
    slugs = caller.visible("mandate.view")
    found: QuerySet[Mandate] = Mandate.objects.select_related("counter", "issued_by")
    return found if slugs is None else found.filter(use_case_id__in=slugs)


def _mandate(caller: Caller, key: UUID) -> Mandate:
    mandate: Mandate = found_or_404(_visible_mandates(caller), f"mandate {key}", pk=key)
    return mandate
