"""``alerts/`` and ``alert-limits/``: what broke its limit, what people did about it, the limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from pydantic import Field, StrictFloat, StrictInt

from apps.accounts.callers import Caller
from apps.api.bodies import Body, Document, ListQuery, OptionalReason, Reason, Slug, Text
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.lookups import found_or_404, use_case_for
from apps.api.v1.policies import ActorNamed
from apps.metrics.alerts import alert_acknowledge, alert_resolve
from apps.metrics.limits import alert_limit_retire, alert_limit_set
from apps.metrics.models import Alert, AlertLimit
from apps.policies.second_person import actors_known
from apps.registry.access import require_right

StatusName = Literal["raised", "acknowledged", "resolved"]
OpName = Literal["<", "<=", ">", ">="]


class AlertDocument(Document):
    id: UUID
    use_case: str
    kind: str
    about: str = Field(description="The limit's id, a reviewer's login, a kind of report.")
    status: StatusName
    detail: str
    value: float | None
    n: int | None
    limit: UUID | None
    raised_at: datetime
    acknowledged_by: ActorNamed | None
    acknowledged_at: datetime | None
    resolved_by: ActorNamed | None
    resolved_at: datetime | None
    note: str


class AlertQuery(ListQuery):
    use_case: Slug | None = None
    status: StatusName | None = None
    kind: Annotated[str, Text(40)] | None = None


class AlertAcknowledgement(Body):
    note: OptionalReason = ""


class AlertResolution(Body):
    note: Reason


class AlertLimitDocument(Document):
    id: UUID
    use_case: str
    metric: str
    op: OpName
    value: float
    smallest: int
    in_a_row: int
    window_days: int
    active: bool
    created_at: datetime

    @classmethod
    def of(cls, row: AlertLimit) -> AlertLimitDocument:
        names = [name for name in cls.model_fields if name != "use_case"]
        return cls(use_case=row.use_case_id, **{name: getattr(row, name) for name in names})


class AlertLimitSetting(Body):
    use_case: Slug
    metric: Annotated[str, Text(200, shortest=1)] = Field(
        description="The path of a figure in its report, such as `accuracy.combined.value`."
    )
    op: OpName = Field(description="On which side of the value it is broken.")
    value: StrictInt | StrictFloat
    smallest: StrictInt = Field(30, description="Cases that a figure must rest on to count.")
    in_a_row: StrictInt = Field(2, description="Windows in a row that must break it.")
    window_days: StrictInt = Field(7, description="Whole days of a window.")
    reason: OptionalReason = ""


class AlertLimitRetirement(Body):
    reason: Reason


class AlertLimitQuery(ListQuery):
    use_case: Slug | None = None


def alert_documents(alerts: Iterable[Alert]) -> Iterator[AlertDocument]:
    """Two queries for the names of all."""
    rows = list(alerts)
    known = actors_known(one for row in rows for one in (row.acknowledged_by, row.resolved_by))
    named = {one: ActorNamed(id=one, name=actor.name) for one, actor in known.items()}
    plain = ("kind", "about", "status", "detail", "value", "n", "note")
    times = ("raised_at", "acknowledged_at", "resolved_at")
    for row in rows:
        yield AlertDocument(
            id=row.pk,
            use_case=row.use_case_id,
            limit=row.limit_id,
            acknowledged_by=named.get(row.acknowledged_by),
            resolved_by=named.get(row.resolved_by),
            **{name: getattr(row, name) for name in (*plain, *times)},
        )


def _document(alert: Alert) -> AlertDocument:
    return next(alert_documents([alert]))


class AlertsView(ApiView):
    actions = {"GET": "alert.view"}

    @operation("List alerts", returns=AlertDocument, listed=True, query=AlertQuery, problems={404})
    def get(self, caller: Caller, query: AlertQuery) -> Any:
        """Newest first, in every status."""
        alerts = _visible(Alert.objects.all(), caller)
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "alert.view")
            alerts = alerts.filter(use_case_id=query.use_case)
        if query.status is not None:
            alerts = alerts.filter(status=query.status)
        if query.kind is not None:
            alerts = alerts.filter(kind=query.kind)
        return self.page_of(alerts, alert_documents)


class AlertView(ApiView):
    actions = {"GET": "alert.view"}

    @operation("Read an alert", returns=AlertDocument)
    def get(self, caller: Caller, id: UUID) -> AlertDocument:
        return _document(_alert(caller, id, "alert.view"))


class AlertAcknowledgementView(ApiView):
    actions = {"POST": "alert.handle"}

    @operation(
        "Acknowledge an alert", returns=AlertDocument, body=AlertAcknowledgement, problems={409}
    )
    def post(self, caller: Caller, id: UUID, body: AlertAcknowledgement) -> AlertDocument:
        """A person has seen it; a program may not say so."""
        alert = _alert(caller, id, "alert.handle")
        return _document(alert_acknowledge(actor=caller.actor, alert=alert, note=body.note))


class AlertResolutionView(ApiView):
    actions = {"POST": "alert.handle"}

    @operation("Resolve an alert", returns=AlertDocument, body=AlertResolution, problems={409})
    def post(self, caller: Caller, id: UUID, body: AlertResolution) -> AlertDocument:
        """A person says what came of it. Found again later, it is a new alert."""
        alert = _alert(caller, id, "alert.handle")
        return _document(alert_resolve(actor=caller.actor, alert=alert, note=body.note))


class AlertLimitsView(ApiView):
    actions = {"GET": "alert.view", "POST": "alert_limit.set"}

    @operation(
        "List limits",
        returns=AlertLimitDocument,
        listed=True,
        query=AlertLimitQuery,
        problems={404},
    )
    def get(self, caller: Caller, query: AlertLimitQuery) -> Any:
        """Newest first, retired ones too."""
        limits = _visible(AlertLimit.objects.all(), caller)
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "alert.view")
            limits = limits.filter(use_case_id=query.use_case)
        return self.page(limits, AlertLimitDocument.of)

    @operation(
        "Set a limit",
        returns=AlertLimitDocument,
        status=201,
        body=AlertLimitSetting,
        problems={404, 409},
    )
    def post(self, caller: Caller, body: AlertLimitSetting) -> Created:
        """An alert is raised when the figure is out of bounds in so many windows in a row."""
        limit = alert_limit_set(
            actor=caller.actor,
            use_case=use_case_for(caller, body.use_case, "alert_limit.set"),
            reason=body.reason,
            **body.model_dump(exclude={"use_case", "reason"}),
        )
        location = reverse("api:alert-limit", kwargs={"id": limit.pk})
        return Created(AlertLimitDocument.of(limit), location)


class AlertLimitView(ApiView):
    actions = {"GET": "alert.view"}

    @operation("Read a limit", returns=AlertLimitDocument)
    def get(self, caller: Caller, id: UUID) -> AlertLimitDocument:
        return AlertLimitDocument.of(_limit(caller, id, "alert.view"))


class AlertLimitRetirementView(ApiView):
    actions = {"POST": "alert_limit.set"}

    @operation(
        "Retire a limit", returns=AlertLimitDocument, body=AlertLimitRetirement, problems={409}
    )
    def post(self, caller: Caller, id: UUID, body: AlertLimitRetirement) -> AlertLimitDocument:
        """It is asked no longer; alerts that it raised stay until a person resolves them."""
        limit = _limit(caller, id, "alert_limit.set")
        retired = alert_limit_retire(actor=caller.actor, limit=limit, reason=body.reason)
        return AlertLimitDocument.of(retired)


def _visible(rows: QuerySet[Any], caller: Caller) -> QuerySet[Any]:
    slugs = caller.visible("alert.view")
    return rows if slugs is None else rows.filter(use_case_id__in=slugs)


def _alert(caller: Caller, key: UUID, action: str) -> Alert:
    alert: Alert = found_or_404(_visible(Alert.objects.all(), caller), f"alert {key}", pk=key)
    require_right(caller, action, alert.use_case_id)
    return alert


def _limit(caller: Caller, key: UUID, action: str) -> AlertLimit:
    rows = _visible(AlertLimit.objects.all(), caller)
    limit: AlertLimit = found_or_404(rows, f"limit {key}", pk=key)
    require_right(caller, action, limit.use_case_id)
    return limit
