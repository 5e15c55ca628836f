"""Known answers drawn from decided cases whose truth has turned out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from apps.common.actor import Actor
from apps.common.errors import PlatformError
from apps.decisions.domain.lifecycle import Status
from apps.decisions.models import Content, Decision
from apps.outcomes.models import Outcome
from apps.policies.domain.sampling import draw
from apps.policies.seeds import seed_for
from apps.policies.selectors import policy_in_force
from apps.registry.models import Lifecycle, UseCase
from apps.reviews.known_answers import known_answer_enter
from apps.reviews.models import KnownAnswer
from apps.workflow.desk.case import asked_people

DRAWER: Final = Actor.system("known-answers")
KEPT: Final = 50  # active known answers that a use case is brought up to
LOOKED_AT: Final = 2_000  # newest outcomes
DRAWN: Final = "drawn from decided cases"


def known_answers_draw(now: datetime) -> int:
    """Bring each live use case that mixes known answers in up to its number; how many were added."""
    running = UseCase.objects.filter(lifecycle=Lifecycle.LIVE, policies__status="active")
    added = 0
    for use_case in running.order_by("slug"):
        document = policy_in_force(use_case, now).document
        if document["known_answer_rate"]:
            added += _draw_for(use_case, now, anything=bool(document["audit_rate"]))
    return added


def _draw_for(use_case: UseCase, now: datetime, *, anything: bool) -> int:
    """``anything``: cases that nobody was asked about too. Where none of these is ever audited,
    one of them would stand out."""
    active = KnownAnswer.objects.filter(use_case=use_case, status="active").count()
    added = 0
    for decision_id, truth in _candidates(use_case, now, anything):
        if active + added >= KEPT:
            break
        try:
            known_answer_enter(
                actor=DRAWER,
                decision_id=decision_id,
                output=truth,
                reason=DRAWN,
                source="drawn",
                now=now,
            )
        except PlatformError:
            continue  # it was erased, or entered by somebody, a moment ago
        added += 1
    return added


def _candidates(
    use_case: UseCase, now: datetime, anything: bool
) -> Iterator[tuple[UUID, dict[str, Any]]]:
    """Decided cases with their truth, in the order of a keyed draw: which ones serve, nobody can
    foresee. One that was a known answer before, in whatever state, does not serve again."""
    used = KnownAnswer.objects.filter(use_case=use_case).values("decision")
    newest = Outcome.objects.filter(use_case=use_case).exclude(decision__in=used)
    fair = newest.exclude(decision__status=Status.PENDING).exclude(decision__past=True)
    truth: dict[UUID, Outcome] = {}
    for outcome in fair.select_related("decision").order_by("-id")[:LOOKED_AT]:
        if anything or asked_people(outcome.decision):
            truth.setdefault(outcome.decision_id, outcome)
    seed = seed_for(use_case.slug, now.year)
    for key in sorted(truth, key=lambda key: draw(seed, f"known-drawn:{key}")):
        output = _output_of(truth[key])
        if output is not None:
            yield key, output


def _output_of(outcome: Outcome) -> dict[str, Any] | None:
    """The true output that an outcome states. Of a text or an action it says only whether the
    AI's was right, and many others may be: those are entered by people."""
    decision: Decision = outcome.decision
    if decision.kind == "label":
        return None if outcome.label is None else {"label": outcome.label}
    if outcome.output_commitment is None:
        return None
    rows = Content.objects.filter(decision=decision.pk, part="outcome").order_by("-id")
    content = rows.values_list("content", flat=True).first()
    return None if content is None else json.loads(content)
