"""Alerts: raised by the platform, acknowledged and resolved by people."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.common.errors import Conflict, NotPermitted
from apps.common.saving import checked_reason
from apps.metrics.models import Alert, AlertLimit
from apps.notifications.outbox import event_add
from apps.registry.guards import use_case_lock
from apps.registry.models import UseCase

RAISED, ACKNOWLEDGED, RESOLVED = "raised", "acknowledged", "resolved"
WATCHER = Actor.system("alerts")


@transaction.atomic
def alert_raise(
    *,
    use_case: UseCase,
    kind: str,
    about: str,
    detail: str,
    actor: Actor = WATCHER,
    value: float | None = None,
    n: int | None = None,
    limit: AlertLimit | None = None,
) -> Alert | None:
    """Raise an alert; None where one of the same matter is open, to which nothing is added.

    Two that find the same at once: the use case's lock lets one of them see the other's.
    """
    require_actor(actor)
    held = use_case_lock(use_case.slug)
    if open_alert(held, kind, about) is not None:
        return None
    alert = Alert(
        use_case=held,
        limit=limit,
        kind=kind,
        about=about,
        detail=detail,
        value=value,
        n=n,
        raised_at=timezone.now(),
    )
    alert.save(actor=actor, reason=detail)
    # not what it is about, nor the sentence: a reviewer may be named, and any receiver reads events
    data = {"alert": str(alert.pk), "kind": kind, "value": value, "n": n}
    event_add("alert.raised", use_case=held.slug, data=data)
    return alert


def open_alert(use_case: UseCase, kind: str, about: str) -> Alert | None:
    """The alert of a matter that no one has resolved yet."""
    found = Alert.objects.filter(use_case=use_case, kind=kind, about=about)
    alert: Alert | None = found.exclude(status=RESOLVED).first()
    return alert


def settled_at(use_case: UseCase, kind: str, about: str) -> datetime | None:
    """When people last resolved an alert of the same matter."""
    found = Alert.objects.filter(use_case=use_case, kind=kind, about=about, status=RESOLVED)
    moment: datetime | None = found.aggregate(last=Max("resolved_at"))["last"]
    return moment


@transaction.atomic
def alert_acknowledge(*, actor: Actor, alert: Alert, note: str = "") -> Alert:
    """A person has seen it and looks into it."""
    _require_person(actor, "alert.handle", alert)
    note = checked_reason(note)
    held = _locked(alert)
    if held.status != RAISED:
        raise Conflict(f"the alert is {held.status}: only a raised one can be acknowledged")
    held.status, held.acknowledged_by = ACKNOWLEDGED, actor.id
    held.acknowledged_at = timezone.now()
    held.note = note
    held.save(actor=actor, reason=note)
    return held


@transaction.atomic
def alert_resolve(*, actor: Actor, alert: Alert, note: str) -> Alert:
    """A person says what came of it. Found again later, it is a new alert."""
    _require_person(actor, "alert.handle", alert)
    note = checked_reason(note, required=True)
    held = _locked(alert)
    if held.status == RESOLVED:
        raise Conflict("the alert is resolved already")
    held.status, held.resolved_by = RESOLVED, actor.id
    held.resolved_at = timezone.now()
    held.note = note
    held.save(actor=actor, reason=note)
    return held


def _locked(alert: Alert) -> Alert:
    held: Alert = Alert.objects.select_for_update(no_key=True).get(pk=alert.pk)
    return held


def _require_person(actor: Actor, action: str, alert: Alert) -> None:
    """A person, or the operator at the machine, whom the trail names."""
    require_actor(actor)
    if actor.kind not in ("person", "command"):
        raise NotPermitted(
            f"{actor.name} is a {actor.kind}: it takes a person to settle an alert",
            action=action,
            use_case=alert.use_case_id,
        )
