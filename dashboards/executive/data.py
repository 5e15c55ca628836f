"""Each process's figures, this window and the one before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd
from django.db.models import Count
from django.utils import timezone

from apps.audit.models import PendingRecord
from apps.decisions.models import Decision
from apps.metrics.cells.window import read_cells
from apps.metrics.domain.estimates import share
from apps.metrics.domain.operations import NO_DECISIONS
from apps.metrics.facts import SEALED_WITHIN
from apps.metrics.first_reading import Window
from apps.metrics.kinds.catalogue import KINDS
from apps.metrics.kinds.reading import Cells, Facts, documents, judged_of, label_set, periods
from apps.metrics.kinds.sides import ai_share, combined_share, human_share
from apps.metrics.kinds.team import team
from apps.metrics.models import Alert
from apps.metrics.overview import Overview, overviews
from apps.policies.models import PolicyVersion
from apps.registry.models import UseCase
from dashboards.filters import Filter
from dashboards.reading import Documents, Narrowed, counted_at, figures, kept_or_made

REPORTED = ("business", "compliance")


@dataclass(frozen=True, slots=True)
class Process:
    """A use case: its figures ``now`` and ``before``, how many alerts are open, and the ``level`` of
    oversight of the policy in force."""

    use_case: UseCase
    now: Documents
    before: Documents
    alerts: int
    level: str

    @property
    def decisions(self) -> int:
        return int(self.now["operations"]["decisions"])


def processes(wanted: Filter) -> list[Process]:
    """Those with a decision in the window, the busiest first."""
    alerts = _open_alerts(wanted.use_cases)
    active = PolicyVersion.objects.filter(use_case__in=wanted.use_cases, status="active")
    levels = dict(active.values_list("use_case_id", "level"))
    now, before = (_figures(wanted, window) for window in (wanted.window, wanted.before))
    if _unsealed():
        for one in wanted.use_cases:
            now[one.slug] |= figures(one, wanted.window, ["compliance"])
    found = [
        Process(
            one,
            now[one.slug],
            before[one.slug],
            alerts.get(one.slug, 0),
            levels.get(one.slug, "no policy"),
        )
        for one in wanted.use_cases
    ]
    return sorted((one for one in found if one.decisions), key=lambda one: -one.decisions)


def _figures(wanted: Filter, window: Window) -> dict[str, Documents]:
    """Slug -> what is shown of a process; made again only where its cells were counted again."""
    at = counted_at(wanted.use_cases, window)
    held = _Held(wanted, window)
    return {
        one.slug: dict(
            kept_or_made(
                ("executive", one.slug, window, wanted.version, wanted.group, at.get(one.slug)),
                lambda one=one: _made(held, one),  # type: ignore[misc]
            )
        )
        for one in wanted.use_cases
    }


class _Held:
    """The sums of all use cases, read at once when the first of them is asked for."""

    def __init__(self, wanted: Filter, window: Window) -> None:
        self.wanted, self.window = wanted, window
        self._sums: dict[str, Overview] = {}

    def of(self, use_case: UseCase) -> Overview:
        if not self._sums:
            self._sums = overviews(self.wanted.use_cases, self.window)
        return self._sums[use_case.slug]


def _made(held: _Held, use_case: UseCase) -> Documents:
    whole = held.of(use_case)
    facts = _facts(use_case, held.window)
    reports = {kind: (KINDS[kind].shown or KINDS[kind].report)(whole, facts) for kind in REPORTED}
    accuracy = _accuracy(_divided(held.wanted, held.window) or whole, facts)
    return {"accuracy": accuracy, "operations": _flow(whole), **reports}


def _divided(wanted: Filter, window: Window) -> Narrowed | None:
    """The cells of one model version or group, where one was chosen: so of one use case."""
    if not wanted.version and not wanted.group:
        return None
    (use_case,) = wanted.use_cases
    cells = read_cells(use_case, window, ("outcome", "people"), refresh=False)
    return Narrowed(cells, wanted.version, wanted.group)


def _facts(use_case: UseCase, window: Window) -> Facts:
    """What these figures need besides cells: nothing that has to be looked up."""
    return {
        "labels": list(use_case.labels),
        "favourable": use_case.favourable_label,
        "positive": use_case.positive_label,
        "begin": None if window.begin is None else window.begin.isoformat(),
        "end": None if window.end is None else window.end.isoformat(),
        "cost_model": use_case.cost_model,
        "trail": {},
        "unsealed": {"n": 0, "first": []},
    }


def _accuracy(cells: Cells, facts: Facts) -> dict[str, Any]:
    """The sides, and whether both together beat the better of them."""
    outcome = cells.table("outcome")
    people = judged_of(cells.table("people"), label_set(facts))
    ai, human = ai_share(outcome), human_share(people)
    sides = documents({"ai": ai, "human": human, "combined": combined_share(outcome)})
    return {**sides, **team(outcome, people, ai, human)}


def _flow(sums: Overview) -> dict[str, Any]:
    """How many decisions, and which share of them no person saw before they took effect."""
    by_day = sums.volumes()
    over_time = []
    for first, last, days in periods(by_day):
        n, automatic = (sum(by_day[day][at] for day in days) for at in (0, 1))
        rate = share(automatic, n, NO_DECISIONS).document()
        entry = {"from": first.isoformat(), "to": last.isoformat()}
        over_time.append(entry | {"n": n, "automation_rate": rate})
    n, automatic = (sum(volume[at] for volume in by_day.values()) for at in (0, 1))
    return {
        "decisions": n,
        "automation_rate": share(automatic, n, NO_DECISIONS).document(),
        "over_time": over_time,
    }


def _unsealed() -> bool:
    """Whether a decision's record has waited to be sealed for longer than that takes."""
    waiting = PendingRecord.objects.filter(record_type=Decision.record_type).order_by("pk")
    oldest = waiting.values_list("record_id", flat=True).first()
    late = timezone.now() - SEALED_WITHIN
    return (
        oldest is not None
        and Decision.history.filter(history_id=oldest, history_date__lt=late).exists()
    )


def _open_alerts(use_cases: Iterable[UseCase]) -> dict[str, int]:
    rows = Alert.objects.filter(use_case__in=use_cases).exclude(status="resolved")
    return dict(rows.order_by().values_list("use_case_id").annotate(n=Count("pk")))


def net_values(found: Iterable[Process]) -> dict[str, dict[str, Any]]:
    """currency -> the sum of net values with their ranges, and of how many processes; money is
    never added over currencies."""
    sums: dict[str, dict[str, Any]] = {}
    for one in found:
        value = one.now["business"]["net_value"]
        if value["value"] is None:
            continue
        entry = sums.setdefault(
            one.now["business"]["currency"],
            {"value": Decimal(0), "low": Decimal(0), "high": Decimal(0), "n": 0, "processes": 0},
        )
        for end in ("value", "low", "high"):
            entry[end] += Decimal(value[end])
        entry["n"] += one.decisions
        entry["processes"] += 1
    return {
        currency: {k: str(v) if isinstance(v, Decimal) else v for k, v in entry.items()}
        for currency, entry in sums.items()
    }


def total_automation(found: Iterable[Process]) -> dict[str, Any]:
    """The share of all decisions that took effect without a person, and the window before."""
    shares: dict[str, Any] = {}
    listed = list(found)
    for name in ("now", "before"):
        documents = [getattr(one, name)["operations"] for one in listed]
        n = sum(one["decisions"] for one in documents)
        unseen = sum(
            (one["automation_rate"]["value"] or 0.0) * one["decisions"] for one in documents
        )
        shares[name] = unseen / n if n else None
        shares[f"n_{name}"] = n
    return shares


def handled(found: Iterable[Process]) -> tuple[int, int]:
    """(decisions with a breach, decisions) of all processes."""
    listed = list(found)
    broken = sum(one.now["compliance"]["decisions_with_breaches"] for one in listed)
    return broken, sum(one.decisions for one in listed)


def by_period(found: Iterable[Process]) -> pd.DataFrame:
    """Decisions and automation of all processes over time: columns start, n, automatic."""
    rows = [
        {
            "start": pd.Timestamp(period["from"]),
            "n": period["n"],
            "automatic": (period["automation_rate"]["value"] or 0.0) * period["n"],
        }
        for one in found
        for period in one.now["operations"]["over_time"]
    ]
    frame = pd.DataFrame(rows, columns=["start", "n", "automatic"])
    return frame.groupby("start", as_index=False).sum().sort_values("start")
