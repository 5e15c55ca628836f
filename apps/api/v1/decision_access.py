"""What of a decision its caller may see, and the trace that seeing its content leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.callers import Caller
from apps.api.v1.lookups import found_or_404
from apps.audit.events import Event, record_event, record_repeatable
from apps.common.errors import BadInput
from apps.decisions.models import Decision
from apps.decisions.selectors import coded_reasons
from apps.registry.access import require_right
from apps.registry.models import UseCase
from apps.registry.selectors import use_case_by_slug

HIDDEN = "The caller's roles do not show the content."
VIEWED = "personal_data_viewed"


def visible_decisions(caller: Caller) -> QuerySet[Decision]:
    slugs = caller.visible("decision.view")
    found: QuerySet[Decision] = Decision.objects.all()
    return found if slugs is None else found.filter(use_case_id__in=slugs)


def decision_for(caller: Caller, key: UUID, action: str = "decision.view") -> Decision:
    """NotFound where the caller may not see it, NotPermitted where they may only see it."""
    decision: Decision = found_or_404(visible_decisions(caller), f"decision {key}", pk=key)
    require_right(caller, action, decision.use_case_id)
    return decision


def use_case_to_send_to(
    caller: Caller,
    slug: str,
    action: str,
    read: Callable[[str], UseCase | None] = use_case_by_slug,
) -> UseCase:
    """The use case that a body names. One that the caller may not see is not there, and not
    ``read``."""
    known = slug.isprintable() and len(slug) <= 80  # anything else no database need be asked for
    slugs = caller.visible("use_case.view")
    seen = known and (slugs is None or slug in slugs)
    use_case = read(slug) if seen else None
    if use_case is None:
        raise BadInput(f"there is no use case {slug[:80]!a}", "/use_case")
    require_right(caller, action, slug)
    return use_case


def shows_content(caller: Caller, use_case: str) -> bool:
    """A program that sends decisions in may read them back; people need the right to content."""
    return caller.may("content.view", use_case) or caller.may("decision.submit", use_case)


def without_content(document: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """The answer as somebody sees it who may know of the decision and not of its content."""
    final = document["final_output"] if decision.kind == "label" else None
    reasons = coded_reasons(decision.reason_codes, HIDDEN)
    return {**document, "final_output": final, "reasons": reasons}


def content_viewed(caller: Caller, decision: Decision) -> None:
    """A person opened the content of one decision; within a minute it is counted."""
    if caller.actor.kind == "person":
        record_repeatable(
            _event(caller, str(decision.pk), decision.use_case_id), source=str(decision.pk)
        )


def contents_viewed(caller: Caller, decisions: Sequence[Decision]) -> None:
    """A person saw a page of decisions with content: one record that names them all."""
    if caller.actor.kind == "person" and decisions:
        slugs = {decision.use_case_id for decision in decisions}
        keys = [str(decision.pk) for decision in decisions]
        slug = slugs.pop() if len(slugs) == 1 else ""
        record_event(_event(caller, "decisions", slug, decisions=keys))


def _event(caller: Caller, target: str, use_case: str, **detail: Any) -> Event:
    return Event(
        VIEWED,
        caller.actor,
        action="content.view",
        target=target,
        use_case=use_case,
        detail={"door": "api", **detail},
    )
