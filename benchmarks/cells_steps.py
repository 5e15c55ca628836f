"""Steps of the cells, each in a process of its own: ``python -m benchmarks.cells_steps STEP ...``."""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import date, timedelta
from typing import Any

import django

from benchmarks.cells_data import CATEGORIES, NUMBERS, REVIEWERS, SLUG, START, fill

PROFILE_DAYS = 14


def prepare() -> dict[str, Any]:
    """The use case with 20 features and two protected attributes, its policy, its people."""
    from apps.accounts.services import person_create
    from apps.common.actor import Actor
    from apps.workflow.use_case_files import use_case_load

    actor = Actor.command("benchmark")
    begin = date.fromisoformat(START[:10])
    definition = {
        "slug": SLUG,
        "labels": ["approve", "deny"],
        "features": [
            *({"name": name, "type": "number"} for name in NUMBERS),
            *({"name": name, "type": "category"} for name in CATEGORIES),
        ],
        "subject_attributes": [
            {"name": name, "type": "category", "protected": True} for name in ("group", "sex")
        ],
        "reference_from": begin.isoformat(),
        "reference_to": (begin + timedelta(days=PROFILE_DAYS)).isoformat(),
    }
    policy = {"level": "HITL", "confidence_threshold": 0.6, "audit_rate": 0.02}
    file = {"use_case": definition, "policy": policy, "proposer": "ann", "approver": "ben"}
    use_case_load(actor=actor, raw=json.dumps(file).encode())
    for n in range(REVIEWERS):
        person_create(actor=actor, username=f"reviewer-{n}")
    return {}


def write(first: str, count: str, per_day: str) -> dict[str, Any]:
    """Decisions in the order of their time, ``per_day`` of them a day."""
    from django.db import connection

    from apps.accounts.models import User
    from apps.policies.models import PolicyVersion
    from apps.registry.models import AISystem, ModelVersion

    system = AISystem.objects.filter(name="scorer").first() or _saved(AISystem(name="scorer"))
    found = ModelVersion.objects.filter(system=system).first()
    version = found or _saved(ModelVersion(system=system, version="1"))
    people = User.objects.filter(username__startswith="reviewer-").values_list("pk", flat=True)
    values = {
        "version": str(version.pk),
        "use_cases": [SLUG],
        "policies": [str(PolicyVersion.objects.get(use_case=SLUG).pk)],
        "levels": ["HITL"],
        "start": START,
        "people": "{" + ",".join(map(str, people)) + "}",
    }
    with connection.cursor() as cursor:
        fill(cursor, int(first), int(count), 86_400 / int(per_day), values)
        cursor.execute("VACUUM ANALYZE")
    return {"decisions": int(count)}


def _saved(row: Any) -> Any:
    from apps.common.actor import Actor

    row.save(actor=Actor.command("benchmark"))
    return row


def mark() -> dict[str, Any]:
    """Mark what has changed, and freeze the reference profile."""
    from apps.metrics.cells.marking import cells_mark_dirty
    from apps.metrics.cells.profiles import profile_freeze_due
    from apps.metrics.cells.refreshing import stale_mark
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=SLUG)
    began = time.perf_counter()
    marked = cells_mark_dirty()
    seconds = time.perf_counter() - began
    profile_freeze_due(use_case)
    stale_mark(use_case)
    return {"days": marked, "seconds": seconds, "with_profile": time.perf_counter() - began}


def build(part: str = "0", parts: str = "1") -> dict[str, Any]:
    """Count the marked days that are this process's; as a worker that takes one after another."""
    from apps.metrics.cells.refreshing import day_build
    from apps.metrics.models import DirtyDay
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=SLUG)
    marks = DirtyDay.objects.filter(use_case=use_case).order_by("day")
    # by the day itself: a list that another process shortens meanwhile would be shared out wrong
    found = marks.values_list("day", flat=True)
    days = [day for day in found if day.toordinal() % int(parts) == int(part)]
    began = time.perf_counter()
    built = sum(day_build(use_case, day) for day in days)
    return {"days": built, "seconds": time.perf_counter() - began}


def check() -> dict[str, Any]:
    """The cells agree with the decisions, and hold them all."""
    from apps.decisions.models import Decision
    from apps.metrics.cells.checking import cells_check
    from apps.metrics.cells.window import read_cells
    from apps.metrics.first_reading import Window
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=SLUG)
    assert cells_check(use_case) == []
    held = read_cells(use_case, Window(), ["outcome", "people"], refresh=False)
    assert held.decisions == Decision.objects.filter(use_case=use_case).count()
    return {"decisions": held.decisions, "rows": len(held.table("outcome"))}


STEPS = {step.__name__: step for step in (prepare, write, mark, build, check)}


def main(name: str, *arguments: str) -> None:
    django.setup()
    document = STEPS[name](*arguments)
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**document, "memory_mib": memory_mib}))


if __name__ == "__main__":
    main(*sys.argv[1:])
