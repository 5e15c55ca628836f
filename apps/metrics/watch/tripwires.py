"""The tripwires of the policy in force: an alert, and what the policy says is to be done then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.common.actor import Actor
from apps.metrics.alerts import alert_raise, open_alert, settled_at
from apps.metrics.domain.watching import Limit, broken, running_window, sentence
from apps.metrics.first_reading import Window
from apps.metrics.looking import Looks
from apps.metrics.models import Alert
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.tightening import policy_to_hitl
from apps.registry.guards import use_case_lock
from apps.supervision.stops import stop

TRIPWIRE, UNREADABLE = "tripwire", "unreadable_tripwire"
TRIPWIRES = Actor.system("tripwires")
DAYS = 7
SMALLEST = 30
IN_SERVICE = ("pilot", "live")

Wire = Mapping[str, Any]


def tripwires_check(looks: Looks) -> list[Alert]:
    """Ask each tripwire of the policy in force over the last seven days, today among them."""
    versions = PolicyVersion.objects.filter(use_case=looks.use_case, status=PolicyStatus.ACTIVE)
    policy = versions.first()
    if policy is None or looks.use_case.lifecycle not in IN_SERVICE:
        return []
    wires = policy.document.get("tripwires", [])
    return [alert for wire in wires if (alert := _check(looks, policy, wire)) is not None]


def _about(wire: Wire) -> str:
    return f"{wire['metric']} {wire['op']} {wire['value']:g} {wire['action']}"[:200]


def _check(looks: Looks, policy: PolicyVersion, wire: Wire) -> Alert | None:
    """What a person has resolved is not held against the days before."""
    about = _about(wire)
    if open_alert(looks.use_case, TRIPWIRE, about) is not None:
        return None
    settled = settled_at(looks.use_case, TRIPWIRE, about)
    asked = Limit(wire["metric"], wire["op"], float(wire["value"]), SMALLEST)
    try:
        figure = looks.figure(asked.metric, Window(*running_window(looks.now, DAYS, settled)))
    except KeyError as error:
        return _unreadable(looks, about, str(error.args[0]))
    if not broken(asked, figure):
        return None
    found = sentence(asked, [figure])
    return _trip(looks, policy, wire, found, (figure.value, figure.n))


@transaction.atomic
def _trip(
    looks: Looks, policy: PolicyVersion, wire: Wire, found: str, figure: tuple[Any, Any]
) -> Alert | None:
    """The alert and the step it asks for, both or neither."""
    held = use_case_lock(looks.use_case.slug)
    detail = f"tripwire of version {policy.number}: {found}"
    value, n = figure
    alert = alert_raise(
        actor=TRIPWIRES,
        use_case=held,
        kind=TRIPWIRE,
        about=_about(wire),
        detail=detail,
        value=value,
        n=n,
    )
    if alert is None:
        return None
    if wire["action"] == "suspend" and held.lifecycle in IN_SERVICE:
        stop(actor=TRIPWIRES, use_case=held, reason=detail)
    if wire["action"] == "to_hitl":
        policy_to_hitl(actor=TRIPWIRES, use_case=held, reason=detail)
    return alert


def _unreadable(looks: Looks, about: str, why: str) -> Alert | None:
    if settled_at(looks.use_case, UNREADABLE, about) is not None:
        return None
    return alert_raise(
        use_case=looks.use_case,
        kind=UNREADABLE,
        about=about,
        detail=f"the tripwire {about} leads to no figure: {why}",
    )
