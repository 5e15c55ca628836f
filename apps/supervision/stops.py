"""The stop button, and the way back: what one person stopped, another one resumes."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.common.errors import BadInput, Conflict
from apps.common.saving import checked_reason
from apps.notifications.outbox import event_add
from apps.policies.second_person import require_another
from apps.registry.guards import use_case_lock
from apps.registry.models import Lifecycle, UseCase
from apps.supervision.models import Stop

WITHHELD = ("leave", "reroute")


@transaction.atomic
def stop(*, actor: Actor, use_case: UseCase, reason: str) -> Stop:
    """Suspend a use case: the very next decision is blocked."""
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    held = use_case_lock(use_case.slug)
    if held.lifecycle in (Lifecycle.SUSPENDED, Lifecycle.RETIRED):
        raise Conflict(f"{held.slug} is {held.lifecycle} already: there is nothing to stop")
    made = Stop(
        use_case=held,
        lifecycle_before=held.lifecycle,
        stopped_by=actor.id,
        stopped_at=timezone.now(),
    )
    made.save(actor=actor, reason=reason)
    _move(held, Lifecycle.SUSPENDED, actor, reason)
    event_add("use_case.suspended", use_case=held.slug, data={"stop": str(made.pk)})
    return made


@transaction.atomic
def resume(*, actor: Actor, use_case: UseCase, reason: str, withheld: str = "leave") -> Stop:
    """Put a suspended use case back to where it was. ``withheld`` says what is to become of the
    decisions that the stop blocked; to reroute them is the caller's next step."""
    require_actor(actor)
    reason = checked_reason(reason, required=True)
    if withheld not in WITHHELD:
        raise BadInput(f"{withheld!r} is not one of {', '.join(WITHHELD)}", "/withheld")
    held = use_case_lock(use_case.slug)
    open_stop: Stop | None = Stop.objects.filter(use_case=held, resumed_at=None).first()
    if held.lifecycle != Lifecycle.SUSPENDED or open_stop is None:
        raise Conflict(
            f"{held.slug} is {held.lifecycle}, not suspended: there is nothing to resume"
        )
    require_another(
        actor,
        open_stop.stopped_by,
        did=f"stopped {held.slug}",
        action="use_case.resume",
        use_case=held.slug,
    )
    open_stop.resumed_by, open_stop.resumed_at = actor.id, timezone.now()
    open_stop.withheld = withheld
    open_stop.save(actor=actor, reason=reason)
    _move(held, open_stop.lifecycle_before, actor, reason)
    data = {"stop": str(open_stop.pk), "lifecycle": held.lifecycle, "withheld": withheld}
    event_add("use_case.resumed", use_case=held.slug, data=data)
    return open_stop


def _move(use_case: UseCase, lifecycle: str, actor: Actor, reason: str) -> None:
    use_case.lifecycle = lifecycle
    use_case.save(actor=actor, reason=reason)
