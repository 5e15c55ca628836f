"""Steps at the desk, each in a process of its own: ``python -m benchmarks.desk_steps STEP ...``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import django

from benchmarks.desk_pace import at_pace, in_ms, without_rest
from benchmarks.gate_steps import FEATURES, bodies, vacuum

SLUG = "desk"
PEOPLE = 50
SKILL = "lending"
POLICY = {
    "level": "HITL",
    "always_review_labels": ["approve", "deny"],
    "skills": [SKILL],
    "sla_minutes": 480,
    "escalation": ["senior_reviewer"],
    "known_answer_rate": 0.02,
    "audit_rate": 0.02,
}


def prepare() -> dict[str, Any]:
    """The use case, in which people review every case, and the people who may."""
    from django.conf import settings

    from apps.accounts.qualifications import qualification_grant
    from apps.accounts.services import person_create, role_grant
    from apps.common.actor import Actor
    from apps.policies.services import policy_approve, policy_draft, policy_propose
    from apps.registry.services import use_case_create

    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)  # as `up` does
    lead, second = Actor.command("lead"), Actor.command("second")
    use_case = use_case_create(
        actor=lead,
        reason="benchmark",
        slug=SLUG,
        labels=["approve", "deny"],
        lifecycle="live",
        features=FEATURES,
        subject_attributes=[{"name": "sex", "type": "category", "protected": True}],
    )
    draft = policy_draft(actor=lead, use_case=use_case, document=POLICY)
    policy_propose(actor=lead, policy=draft, reason="benchmark")
    policy_approve(actor=second, policy=draft, reason="benchmark")
    for number in range(PEOPLE):
        person = person_create(actor=lead, username=f"desk-{number:02d}")
        role_grant(actor=lead, user=person, role="reviewer", use_case=SLUG)
        qualification_grant(actor=lead, user=person, skill=SKILL, reason="benchmark")
    return {"people": PEOPLE}


def remember(folder: str, count: str) -> dict[str, Any]:
    """Decided cases with their outcomes, which the case page compares with."""
    cases, outcomes = Path(folder) / "past.jsonl", Path(folder) / "outcomes.jsonl"
    with cases.open("w", encoding="utf-8") as first, outcomes.open("w", encoding="utf-8") as second:
        for number, body in enumerate(bodies(3 * 10**9, int(count))):
            first.write(json.dumps({**body, "use_case": SLUG}) + "\n")
            label = "deny" if number % 5 else body["output"]["label"]
            outcome = {"external_id": body["external_id"], "label": label, "source": "observed"}
            second.write(json.dumps(outcome) + "\n")
    _take_in("ingest", cases, past=True)
    _take_in("import_outcomes", outcomes)
    return {"cases": int(count)}


def wait(folder: str, first: str, count: str) -> dict[str, Any]:
    """So many further cases, each with its task and seat, by the way that every file takes."""
    path = Path(folder) / "waiting.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for body in bodies(4 * 10**9 + int(first), int(count)):
            file.write(json.dumps({**body, "use_case": SLUG}) + "\n")
    _take_in("ingest", path)
    path.unlink()
    return {"waiting": _waiting()}


def _take_in(command: str, path: Path, **options: Any) -> None:
    from django.core.management import call_command

    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        more = {"use_case": SLUG, "json": True, "stdout": nothing, "stderr": nothing}
        call_command(command, str(path), **more, **options)


def _waiting() -> int:
    from apps.reviews.models import Seat

    return Seat.objects.filter(pool__use_case=SLUG, state="free").count()


def everyone() -> list[Any]:
    """The people of the desk, in their order."""
    from apps.accounts.models import User

    return list(User.objects.filter(username__startswith="desk-").order_by("username"))


def one_after_another(count: str) -> dict[str, Any]:
    """Claims of which none meets another."""
    claim, taken = _claims(), []
    for number in range(int(count)):
        began = time.perf_counter()
        follow = claim(number % PEOPLE)
        taken.append(time.perf_counter() - began)
        follow()
    return {"median_ms": 1000 * median(taken), "left": _waiting()}


def claims(seconds: str) -> dict[str, Any]:
    """Claims in the service at the desk's pace."""
    return in_ms(at_pace(PEOPLE, float(seconds), _claims()))


def claims_without_rest(count: str) -> dict[str, Any]:
    return {"rate": without_rest(PEOPLE, int(count), _claims())}


def _claims() -> Callable[[int], Callable[[], object]]:
    """The seat locked, leased and committed; it is done off the clock."""
    from django.utils import timezone

    from apps.reviews.seats import seat_claim

    people = everyone()

    def claim(number: int) -> Callable[[], object]:
        person = people[number]
        seat = seat_claim(actor=person.actor, person=person, now=timezone.now())
        assert seat is not None, f"nothing waits for {person.username}"
        return lambda: seat_done(seat.task_id)

    return claim


def seat_done(task: object) -> None:
    """As a verdict leaves it, so that its holder can claim the next one."""
    from apps.reviews.models import Seat

    held = Seat.objects.filter(task=task, state="leased")
    assert held.update(state="done", lease_expires_at=None) == 1, task


def opens(seconds: str) -> dict[str, Any]:
    """The claim's door at the desk's pace."""
    from apps.workflow.desk.opening import open_next

    people = everyone()

    def open_case(number: int) -> Callable[[], object]:
        person = people[number]
        opened = open_next(actor=person.actor, person=person)
        assert opened is not None, f"nothing waits for {person.username}"
        return lambda: seat_done(opened.task.pk)

    return in_ms(at_pace(PEOPLE, float(seconds), open_case))


def page_queries() -> dict[str, Any]:
    """Queries of the case page, opened for the second time, and of the queue's page."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="localhost")
    client.force_login(everyone()[0])
    case = client.post("/desk/next/").headers["Location"]
    found = {}
    for name, address in (("case", case), ("queue", "/desk/")):
        client.get(address)
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        found[name] = len(asked)
    return found


def served(seconds: str, acts: str) -> dict[str, Any]:
    from benchmarks.desk_http import over_http

    return over_http(everyone(), float(seconds), int(acts), seat_done)


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    step.__name__: step
    for step in (
        prepare,
        remember,
        wait,
        one_after_another,
        claims,
        claims_without_rest,
        opens,
        page_queries,
        served,
        vacuum,
    )
}


def main(name: str, *arguments: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "hitl_platform.settings"
    django.setup()
    from apps.common.memory import collect_rarely

    collect_rarely()  # as every process of the platform
    print(json.dumps(STEPS[name](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
