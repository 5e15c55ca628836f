"""``qualifications/`` and ``absences/``: who may take what, and who is away."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse
from pydantic import Field

from apps.accounts.callers import Caller
from apps.accounts.models import Qualification
from apps.accounts.qualifications import qualification_grant, qualification_revoke
from apps.api.bodies import Body, Document, ListQuery, LoginOut, Moment, Name, Reason, Scope, Text
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.lookups import found_or_404, person_named, scope_for
from apps.common.errors import NotPermitted
from apps.reviews.absences import absence_add, absence_end
from apps.reviews.models import Absence

Skill = Annotated[str, Text(100, shortest=1)]
Status = Literal["held", "lapsed", "lost", "revoked"]


class QualificationGrant(Body):
    person: Name = Field(description="Login of the person.")
    skill: Skill
    use_case: Scope = Field("", description="Slug; empty: everywhere.")
    valid_until: Moment | None = Field(None, description="Left out: without an end.")
    reason: Reason


class QualificationEnd(Body):
    reason: Reason


class QualificationDocument(Document):
    """`evidence`: the interval, or the pause, that ended it."""

    id: UUID
    person: LoginOut = Field(validation_alias="user")
    skill: str
    use_case: str
    status: Status
    granted_by: str
    granted_at: datetime
    valid_until: datetime | None
    evidence: dict[str, Any] | None


class QualificationQuery(ListQuery):
    person: str | None = Field(None, max_length=200, description="Login.")
    skill: str | None = Field(None, max_length=100)
    status: Status | None = None


class QualificationsView(ApiView):
    actions = {"GET": "qualification.view", "POST": "qualification.grant"}

    @operation(
        "List qualifications",
        returns=QualificationDocument,
        listed=True,
        query=QualificationQuery,
    )
    def get(self, caller: Caller, query: QualificationQuery) -> Any:
        """Newest first, those that ended too, with what ended them."""
        named = {"user__username": query.person, "skill": query.skill, "status": query.status}
        wanted = {name: value for name, value in named.items() if value is not None}
        rows = _visible(caller).filter(**wanted)
        return self.page(rows, QualificationDocument.model_validate)

    @operation(
        "Grant a qualification",
        returns=QualificationDocument,
        status=201,
        body=QualificationGrant,
        problems={404, 409},
    )
    def post(self, caller: Caller, body: QualificationGrant) -> Created:
        """By another person than its holder. One that ended is held again."""
        scope_for(caller, body.use_case)
        _require_grant(caller, body.use_case)
        held = qualification_grant(
            actor=caller.actor,
            user=person_named(body.person, "/person"),
            skill=body.skill,
            use_case=body.use_case,
            valid_until=body.valid_until,
            reason=body.reason,
        )
        location = reverse("api:qualification", kwargs={"id": held.pk})
        return Created(QualificationDocument.model_validate(held), location)


class QualificationView(ApiView):
    actions = {"GET": "qualification.view"}

    @operation("Read a qualification", returns=QualificationDocument)
    def get(self, caller: Caller, id: UUID) -> QualificationDocument:
        return QualificationDocument.model_validate(_qualification(caller, id))


class QualificationRevocationView(ApiView):
    actions = {"POST": "qualification.grant"}

    @operation(
        "Revoke a qualification",
        returns=QualificationDocument,
        body=QualificationEnd,
        problems={409},
    )
    def post(self, caller: Caller, id: UUID, body: QualificationEnd) -> QualificationDocument:
        """The person gets no more such cases, and cannot finish one that they hold."""
        row = _qualification(caller, id)
        _require_grant(caller, row.use_case)
        ended = qualification_revoke(actor=caller.actor, qualification=row, reason=body.reason)
        return QualificationDocument.model_validate(ended)


def _require_grant(caller: Caller, use_case: str) -> None:
    """A skill that counts everywhere is granted by who may grant it everywhere."""
    caller.require("qualification.grant", use_case or None)
    if not use_case and caller.visible("qualification.grant") is not None:
        raise NotPermitted(
            f"{caller.actor.name} may grant qualifications in one use case alone: name it",
            action="qualification.grant",
        )


def _visible(caller: Caller) -> QuerySet[Qualification]:
    slugs = caller.visible("qualification.view")
    rows: QuerySet[Qualification] = Qualification.objects.select_related("user")
    return rows if slugs is None else rows.filter(Q(use_case="") | Q(use_case__in=slugs))


def _qualification(caller: Caller, key: UUID) -> Qualification:
    row: Qualification = found_or_404(_visible(caller), f"qualification {key}", pk=key)
    return row


# --- Absences -------------------------------------------------------------------------------


class AbsenceBody(Body):
    person: Name = Field(description="Login of the person.")
    delegate: Name | None = Field(None, description="Login of who gets the cases given to them.")
    starts_at: Moment
    ends_at: Moment
    reason: Reason


class AbsenceEnd(Body):
    reason: Reason


class AbsenceDocument(Document):
    id: UUID
    person: LoginOut
    delegate: LoginOut | None
    starts_at: datetime
    ends_at: datetime


class AbsencesView(ApiView):
    actions = {"GET": "review.view", "POST": "review.lead"}

    @operation("List absences", returns=AbsenceDocument, listed=True, query=ListQuery)
    def get(self, caller: Caller, query: ListQuery) -> Any:
        """Newest first, those that are over too."""
        rows = Absence.objects.select_related("person", "delegate")
        return self.page(rows, AbsenceDocument.model_validate)

    @operation(
        "Record an absence",
        returns=AbsenceDocument,
        status=201,
        body=AbsenceBody,
        problems={409},
    )
    def post(self, caller: Caller, body: AbsenceBody) -> AbsenceDocument:
        """Meanwhile the delegate is handed what was given to the person."""
        delegate = None if body.delegate is None else person_named(body.delegate, "/delegate")
        made = absence_add(
            actor=caller.actor,
            person=person_named(body.person, "/person"),
            delegate=delegate,
            starts_at=body.starts_at,
            ends_at=body.ends_at,
            reason=body.reason,
        )
        return AbsenceDocument.model_validate(made)


class AbsenceEndView(ApiView):
    actions = {"POST": "review.lead"}

    @operation("End an absence", returns=AbsenceDocument, body=AbsenceEnd, problems={409})
    def post(self, caller: Caller, id: UUID, body: AbsenceEnd) -> AbsenceDocument:
        """Back early."""
        rows = Absence.objects.select_related("person", "delegate")
        held: Absence = found_or_404(rows, f"absence {id}", pk=id)
        absence_end(actor=caller.actor, absence=held, reason=body.reason)
        return AbsenceDocument.model_validate(rows.get(pk=id))
