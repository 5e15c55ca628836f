"""Steps of the pages, each in a process of its own: ``python -m benchmarks.pages_steps STEP ...``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django

from benchmarks.cells_data import CATEGORIES, DAYS, NUMBERS, REVIEWERS
from benchmarks.pages_data import fill

MAIN, ON_THE_LOOP, IN_COMMAND, SINGLE, EMPTY = "lending", "routes", "setpoints", "rare", "unborn"
OTHERS = [f"process-{n:02d}" for n in range(1, 11)]
LEVELS = {MAIN: "HITL", **dict.fromkeys(OTHERS, "HITL"), ON_THE_LOOP: "HOTL", IN_COMMAND: "HIC"}
TURNS = [*[MAIN] * 12, *OTHERS, ON_THE_LOOP, IN_COMMAND]  # half of all decisions are the first's
ROLES = (
    "administrator",
    "auditor",
    "compliance_officer",
    "risk_lead",
    "commander",
    "supervisor",
    "senior_reviewer",
    "executive",
)
EVERYWHERE, LIMITED = "everywhere", "limited"
PROFILE_DAYS = 14
WHO = {"pages": (EVERYWHERE, LIMITED), "tables": (EVERYWHERE,), "figures": (EVERYWHERE,)}


def prepare(open_hours: str) -> dict[str, Any]:
    """The use cases with their policies, who reviews, and who looks at pages. What came in within
    the last ``open_hours`` waits for people, five sixths of it in the window of who watches."""
    from django.conf import settings

    from apps.accounts.services import person_create, role_grant
    from apps.common.actor import Actor
    from apps.metrics.models import ReportSchedule
    from apps.registry.models import AISystem, ModelVersion
    from apps.reviews.pools import pool_for
    from apps.workflow.use_case_files import use_case_load

    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)  # as `up` does
    actor = Actor.command("benchmark")
    _saved(ModelVersion(system=_saved(AISystem(name="scorer")), version="1"))
    for slug, level in {**LEVELS, SINGLE: "HITL", EMPTY: "HITL"}.items():
        raw = json.dumps(_file(slug, level, int(open_hours))).encode()
        use_case_load(actor=actor, raw=raw)
        pool_for(slug)
        _saved(
            ReportSchedule(
                use_case_id=slug,
                kinds=["accuracy"],
                starts_on=(datetime.now(UTC) - timedelta(days=DAYS)).date(),
            )
        )
    for n in range(REVIEWERS):
        person = person_create(actor=actor, username=f"reviewer-{n}")
        role_grant(actor=actor, user=person, role="reviewer")
    for login, place in ((EVERYWHERE, ""), (LIMITED, OTHERS[0])):
        person = person_create(actor=actor, username=login)
        for role in ROLES:
            role_grant(actor=actor, user=person, role=role, use_case=place)
    return {"use_cases": len(LEVELS)}


def _start() -> datetime:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=DAYS - 1)


def _sla_minutes(open_hours: int) -> int:
    """A third of what waits is within its limit, a twelfth of it at risk: a page of them at least."""
    return 20 * open_hours


def _file(slug: str, level: str, open_hours: int) -> dict[str, Any]:
    begin = _start().date()
    definition = {
        "slug": slug,
        "name": slug.replace("-", " ").capitalize(),
        "labels": ["approve", "deny"],
        "favourable_label": "approve",
        "lifecycle": "live",
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
    policy = {"level": level, "audit_rate": 0.02}
    if level == "HITL":
        policy |= {"confidence_threshold": 0.6, "sla_minutes": _sla_minutes(open_hours)}
    if level == "HOTL":
        policy |= {"intervention_minutes": 50 * open_hours}
    return {"use_case": definition, "policy": policy, "proposer": "ann", "approver": "ben"}


def write(count: str, open_hours: str) -> dict[str, Any]:
    """So many decisions over the last DAYS days, up to now; those of ``open_hours`` wait.

    Reference profiles are frozen as soon as their days are there, as the workers do: the newest
    records are those of people's work.
    """
    from django.db import connection

    from apps.accounts.models import User
    from apps.metrics.cells.profiles import profile_freeze_due
    from apps.policies.models import PolicyVersion
    from apps.registry.models import ModelVersion, UseCase
    from apps.reviews.models import Pool

    people = User.objects.filter(username__startswith="reviewer-").values_list("pk", flat=True)
    policies = dict(PolicyVersion.objects.values_list("use_case_id", "pk"))
    start, now = _start(), datetime.now(UTC)
    values = {
        "version": str(ModelVersion.objects.get().pk),
        "people": [str(one) for one in people],
        "pools": json.dumps(dict(Pool.objects.values_list("use_case_id", "pk"))),
        "use_cases": TURNS,
        "policies": [str(policies[slug]) for slug in TURNS],
        "levels": [LEVELS[slug] for slug in TURNS],
        "start": start,
        "step": (now - start).total_seconds() / int(count),
        "open_since": now - timedelta(hours=int(open_hours)),
        "sla_minutes": _sla_minutes(int(open_hours)),
    }
    began = time.perf_counter()
    with connection.cursor() as cursor:
        early = int(count) * (PROFILE_DAYS + 1) // DAYS
        fill(cursor, 0, early, values)
        cursor.execute("ANALYZE")
        for use_case in UseCase.objects.all():
            profile_freeze_due(use_case)
        fill(cursor, early, int(count) - early, values)
        single = {
            **values,
            "use_cases": [SINGLE],
            "policies": [str(policies[SINGLE])],
            "levels": ["HITL"],
            "open_since": now,
        }
        fill(cursor, int(count), 1, single)
        cursor.execute("VACUUM ANALYZE")
    return {"decisions": int(count), "seconds": time.perf_counter() - began}


def mark() -> dict[str, Any]:
    """Which days are to be counted."""
    from apps.metrics.cells.marking import cells_mark_dirty
    from apps.metrics.cells.refreshing import stale_mark
    from apps.registry.models import UseCase

    marked = cells_mark_dirty()
    for use_case in UseCase.objects.all():
        stale_mark(use_case)
    return {"days": marked}


def build(part: str, parts: str) -> dict[str, Any]:
    """Count the marked days that are this process's."""
    from apps.metrics.cells.refreshing import day_build
    from apps.metrics.models import DirtyDay

    marks = DirtyDay.objects.select_related("use_case").order_by("use_case", "day")
    days = [one for one in marks if one.day.toordinal() % int(parts) == int(part)]
    return {"days": sum(day_build(one.use_case, one.day) for one in days)}


def seal() -> dict[str, Any]:
    """The trail as workers keep it: sealed, its checkpoints delivered, and verified in part."""
    from apps.audit import delivery, sealing, verification

    sealed = sealing.seal_all()
    delivery.deliver_all()
    verification.verify(full=False)
    return {"records": sealed}


def settle() -> dict[str, Any]:
    """What the workers and autovacuum do within minutes."""
    from django.db import connection

    seal()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {}


def answer(kind: str) -> dict[str, Any]:
    """Answers lines ["names"], ["queries", place] and ["once", place] with a line, until no more
    come. What the process keeps for itself is thrown away before each request."""
    from benchmarks.pages_asked import ASKED, Asking

    asking = Asking([one for who in WHO[kind] for one in ASKED[kind](who)])
    for line in sys.stdin:
        name, *places = json.loads(line)
        print(json.dumps(getattr(asking, name)(*places)), flush=True)
    return {}


def _saved(row: Any) -> Any:
    from apps.common.actor import Actor

    row.save(actor=Actor.command("benchmark"))
    return row


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    step.__name__: step for step in (prepare, write, seal, mark, build, settle, answer)
}


def main(name: str, *arguments: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "hitl_platform.settings"
    django.setup()
    from apps.common.memory import collect_rarely

    collect_rarely()  # as every process of the platform
    print(json.dumps(STEPS[name](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
