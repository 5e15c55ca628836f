"""A decision's whole way, read from the records that its reader may see."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from apps.accounts.callers import Caller
from apps.accounts.models import User
from apps.audit.models import AccessEvent
from apps.decisions.models import Content, Decision
from apps.outcomes.models import Outcome
from apps.policies.models import PolicyVersion
from apps.reviews.models import Assignment, Review, ReviewTask
from apps.supervision.models import Intervention, Mandate, MandateUse, Ruling
from apps.web.decisions import steps
from apps.web.decisions.access import peers_hidden, shows_content
from apps.web.desk.outputs import headline
from apps.workflow.desk.case import CHECKING

MOST_SEEN: Final = 100
SPOKEN: Final = ("rationale", "reason", "review_output", "review_first")


def way_of(caller: Caller, decision: Decision, rows: list[Any]) -> list[steps.Step]:
    """Every step in the order of time; the number of queries does not depend on how many.

    Left out are checks of reviewers where the reader may not know of them, others' verdicts while
    the reader may be asked for one, and who looked at it where they may not see the trail.

    Parameters: ``rows``, the decision's history, oldest first.
    """
    told = _told(decision) if shows_content(caller, decision.use_case_id) else steps.Told()
    numbers = dict(
        PolicyVersion.objects.filter(pk__in={row.policy_id for row in rows}).values_list(
            "pk", "number"
        )
    )
    found = list(steps.decision_steps(rows, numbers))
    found += _desk_steps(caller, decision, told)
    found += _overseers_steps(decision, told)
    found += _seen_steps(caller, decision)
    return steps.sealed(found)


def history_of(decision: Decision) -> list[Any]:
    return list(Decision.history.filter(id=decision.pk).order_by("history_id"))


def _told(decision: Decision) -> steps.Told:
    words: dict[tuple[str, str], str] = {}
    outputs: dict[tuple[str, str], str] = {}
    rows = Content.objects.filter(decision=decision.pk, part__in=SPOKEN).order_by("id")
    for part, content in rows.values_list("part", "content"):
        entry = json.loads(content)
        key = (part, str(entry.get("of")))
        if part in ("review_output", "review_first"):
            outputs[key] = headline(decision.kind, entry.get("value"))
        else:
            words[key] = str(entry.get("text") or entry.get("value") or "")
    return steps.Told(words, outputs)


def _history(model: Any, live: Any) -> list[Any]:
    """History rows of the ``live`` rows, each object's in order: history is indexed by its object."""
    rows = model.history.filter(id__in=live.values("pk"))
    return list(rows.order_by("id", "history_id"))


def _desk_steps(caller: Caller, decision: Decision, told: steps.Told) -> list[steps.Step]:
    tasks = ReviewTask.objects.filter(decision=decision)
    reviews = Review.objects.filter(decision=decision)
    if not caller.may("known_answer.view", decision.use_case_id):
        tasks = tasks.exclude(kind__in=CHECKING)
        reviews = reviews.exclude(task__kind__in=CHECKING)
    said = [] if peers_hidden(caller, decision) else _history(Review, reviews)
    given = _history(Assignment, Assignment.objects.filter(task__in=tasks.values("pk")))
    names = _names([*(row.reviewer_id for row in said), *(row.person_id for row in given)])
    return [
        *steps.task_steps(_history(ReviewTask, tasks)),
        *steps.assignment_steps(given, names),
        *steps.review_steps(said, names, told),
    ]


def _names(keys: Iterable[Any]) -> dict[Any, str]:
    return dict(User.objects.filter(pk__in={key for key in keys if key}).values_list("pk", "name"))


def _overseers_steps(decision: Decision, told: steps.Told) -> list[steps.Step]:
    stepped = _history(Intervention, Intervention.objects.filter(decision=decision))
    ruled = _history(Ruling, Ruling.objects.filter(decision=decision))
    known = _history(Outcome, Outcome.objects.filter(decision=decision))
    uses = list(MandateUse.objects.filter(decision_id=decision.pk).order_by("pk"))
    mandates = Mandate.objects.filter(pk__in={use.mandate_id for use in uses})
    return [
        *steps.oversight_steps(stepped, "intervention", told),
        *steps.oversight_steps(ruled, "ruling", told),
        *steps.outcome_steps(known),
        *steps.use_steps(uses, dict(mandates.values_list("pk", "name"))),
    ]


def _seen_steps(caller: Caller, decision: Decision) -> list[steps.Step]:
    """Who looked: for readers of the trail, the newest MOST_SEEN."""
    if not caller.may("audit.view", decision.use_case_id):
        return []
    rows = AccessEvent.objects.filter(target=str(decision.pk)).order_by("-pk")[:MOST_SEEN]
    events = list(rows)
    if not caller.may("known_answer.view", decision.use_case_id):
        checks = ReviewTask.objects.filter(decision=decision, kind__in=CHECKING)
        hidden = {str(key) for key in checks.values_list("pk", flat=True)}
        events = [row for row in events if row.detail.get("task") not in hidden]
    return list(steps.seen_steps(events))
