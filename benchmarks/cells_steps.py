"""Steps of the cells, each in a process of its own: ``python -m benchmarks.cells_steps STEP ...``."""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import date, datetime, timedelta
from typing import Any

import django

from benchmarks.cells_data import (
    AUDIT_RATE,
    CATEGORIES,
    FEW,
    NUMBERS,
    REVIEWERS,
    SLUG,
    START,
    fill,
)

PROFILE_DAYS = 14
FEW_FROM = 10_000_000  # above any number of the other use case


def prepare() -> dict[str, Any]:
    """Two use cases with 20 features and two protected attributes, their policy, their people."""
    from apps.accounts.services import person_create
    from apps.common.actor import Actor
    from apps.policies.seeds import seed_for
    from apps.workflow.use_case_files import use_case_load

    actor = Actor.command("benchmark")
    begin = date.fromisoformat(START[:10])
    definition = {
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
    policy = {"level": "HITL", "confidence_threshold": 0.6, "audit_rate": AUDIT_RATE}
    for slug in (SLUG, FEW):
        file = {"use_case": {"slug": slug, **definition}, "policy": policy}
        raw = json.dumps({**file, "proposer": "ann", "approver": "ben"}).encode()
        use_case_load(actor=actor, raw=raw)
        seed_for(slug, begin.year)
    for n in range(REVIEWERS):
        person_create(actor=actor, username=f"reviewer-{n}")
    return {}


def write(first: str, count: str, per_day: str, slug: str = SLUG) -> dict[str, Any]:
    """Decisions in the order of their time, ``per_day`` of them a day."""
    from django.db import connection

    from apps.accounts.models import User
    from apps.policies.models import PolicyVersion
    from apps.policies.seeds import seed_for
    from apps.registry.models import AISystem, ModelVersion

    system = AISystem.objects.filter(name="scorer").first() or _saved(AISystem(name="scorer"))
    found = ModelVersion.objects.filter(system=system).first()
    version = found or _saved(ModelVersion(system=system, version="1"))
    people = User.objects.filter(username__startswith="reviewer-").values_list("pk", flat=True)
    step, begin = 86_400 / int(per_day), datetime.fromisoformat(START)
    number = int(first)
    if slug == FEW:  # numbers of its own on the same days
        # a second into the first day, lest rounding puts the first one before it
        begin, number = begin - timedelta(seconds=FEW_FROM * step - 1), FEW_FROM + number
    values = {
        "version": str(version.pk),
        "use_cases": [slug],
        "policies": [str(PolicyVersion.objects.get(use_case=slug).pk)],
        "levels": ["HITL"],
        "start": begin.isoformat(),
        "people": "{" + ",".join(map(str, people)) + "}",
    }
    seed = seed_for(slug, datetime.fromisoformat(START).year)
    with connection.cursor() as cursor:
        fill(cursor, number, int(count), step, seed, values)
        cursor.execute("VACUUM ANALYZE")
    return {"decisions": int(count)}


def _saved(row: Any) -> Any:
    from apps.common.actor import Actor

    row.save(actor=Actor.command("benchmark"))
    return row


def mark(slug: str = SLUG) -> dict[str, Any]:
    """Mark what has changed, and freeze the reference profile."""
    from apps.metrics.cells.marking import cells_mark_dirty
    from apps.metrics.cells.profiles import profile_freeze_due
    from apps.metrics.cells.refreshing import stale_mark
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=slug)
    began = time.perf_counter()
    marked = cells_mark_dirty()
    seconds = time.perf_counter() - began
    profile_freeze_due(use_case)
    stale_mark(use_case)
    return {"days": marked, "seconds": seconds, "with_profile": time.perf_counter() - began}


def build(part: str = "0", parts: str = "1", slug: str = SLUG) -> dict[str, Any]:
    """Count the marked days that are this process's; as a worker that takes one after another."""
    from apps.metrics.cells.refreshing import day_build
    from apps.metrics.models import DirtyDay
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=slug)
    marks = DirtyDay.objects.filter(use_case=use_case).order_by("day")
    # by the day itself: a list that another process shortens meanwhile would be shared out wrong
    found = marks.values_list("day", flat=True)
    days = [day for day in found if day.toordinal() % int(parts) == int(part)]
    began = time.perf_counter()
    built = sum(day_build(use_case, day) for day in days)
    return {"days": built, "seconds": time.perf_counter() - began}


def check(slug: str = SLUG) -> dict[str, Any]:
    """The cells agree with the decisions, hold them all, and each routing came out the same."""
    from apps.decisions.models import Decision
    from apps.metrics.cells.checking import cells_check
    from apps.metrics.cells.window import read_cells
    from apps.metrics.first_reading import Window
    from apps.metrics.kinds.compliance import exceptions_of
    from apps.metrics.kinds.operations import count_of
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=slug)
    assert cells_check(use_case) == []
    held = read_cells(use_case, Window(), ["outcome", "flow", "breaches"], refresh=False)
    assert held.decisions == Decision.objects.filter(use_case=use_case).count()
    assert count_of(held.table("flow", "counts"), "traced", "same").n == held.decisions
    assert exceptions_of(held)[1].total == 0
    return {"decisions": held.decisions, "rows": len(held.table("outcome"))}


def reports(turns: str = "5") -> dict[str, Any]:
    """Seconds of each kind of report of both use cases, stored; they take turns, the least counts."""
    from apps.common.actor import Actor
    from apps.metrics.kinds.catalogue import KINDS
    from apps.metrics.reports import report_run
    from apps.registry.models import UseCase

    actor = Actor.command("benchmark")
    cases = [UseCase.objects.get(pk=slug) for slug in (SLUG, FEW)]
    found: dict[str, dict[str, float]] = {slug: {} for slug in (SLUG, FEW)}
    for turn in range(int(turns) + 1):
        for kind in KINDS:
            for case in cases[:: -1 if turn % 2 else 1]:
                began = time.perf_counter()
                report_run(actor=actor, use_case=case, kind=kind, refresh=False)
                seconds = time.perf_counter() - began
                if turn:  # the first one imports what it needs
                    known = found[case.slug].get(kind, seconds)
                    found[case.slug][kind] = min(known, seconds)
    return {"many": found[SLUG], "few": found[FEW]}


STEPS = {step.__name__: step for step in (prepare, write, mark, build, check, reports)}


def main(name: str, *arguments: str) -> None:
    django.setup()
    from apps.common.memory import collect_rarely

    collect_rarely()  # as every process of the platform
    document = STEPS[name](*arguments)
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**document, "memory_mib": memory_mib}))


if __name__ == "__main__":
    main(*sys.argv[1:])
