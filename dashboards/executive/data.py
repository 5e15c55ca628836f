"""Each process's figures, this window and the one before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from apps.metrics.models import Alert
from apps.policies.models import PolicyVersion
from apps.registry.models import UseCase
from dashboards.filters import Filter
from dashboards.reading import Documents, figures

KINDS = ("accuracy", "business", "compliance", "operations")


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
    found = [
        Process(
            one,
            figures(one, wanted.window, KINDS, wanted.version, wanted.group),
            figures(one, wanted.before, KINDS, wanted.version, wanted.group),
            alerts.get(one.slug, 0),
            levels.get(one.slug, "no policy"),
        )
        for one in wanted.use_cases
    ]
    return sorted((one for one in found if one.decisions), key=lambda one: -one.decisions)


def _open_alerts(use_cases: Iterable[UseCase]) -> dict[str, int]:
    found: dict[str, int] = {}
    rows = Alert.objects.filter(use_case__in=use_cases).exclude(status="resolved")
    for slug in rows.values_list("use_case_id", flat=True):
        found[slug] = found.get(slug, 0) + 1
    return found


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
