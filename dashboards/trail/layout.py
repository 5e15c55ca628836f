"""Audit health: what is sealed, who holds it outside, what verification found, missed runs."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from django.utils import timezone

from apps.audit import delivery
from apps.audit.models import Checkpoint, PendingRecord, VerificationRun
from apps.metrics.schedules import missed_runs
from dashboards.filters import Filter
from dashboards.frame import page
from dashboards.look import THEMES, blank
from dashboards.parts import chart, charts, listed, tile, tiles, verdict
from dashboards.words import NONE, number

SHOWN = 200
RUNS = 20


def sealed_over_time(found: list[tuple[Any, int]], theme: str) -> go.Figure:
    """Records covered by each checkpoint. ``found``: (signed at, tree size), oldest first."""
    figure = blank(theme)
    figure.add_trace(
        go.Scatter(
            x=[at for at, _ in found],
            y=[size for _, size in found],
            mode="lines+markers",
            line={"shape": "hv", "color": THEMES[theme].series[0], "width": 2},
            marker={"size": 4},
            hovertemplate="%{x|%d %b %Y %H:%M}: %{y:,} records<extra></extra>",
        )
    )
    figure.update_yaxes(title="records sealed", rangemode="tozero")
    return figure


def draw(wanted: Filter, theme: str) -> Any:
    checkpoints = list(
        Checkpoint.objects.order_by("-tree_size").values_list(
            "created_at", "tree_size", "root_hash"
        )[:SHOWN]
    )
    runs = list(VerificationRun.objects.order_by("-id")[:RUNS])
    pending = PendingRecord.objects.count()
    witnesses = [(one.name, delivery.undelivered(one.name)) for one in delivery.witnesses()]
    missed = missed_runs(timezone.now(), [one.slug for one in wanted.use_cases])
    last = runs[0] if runs else None
    sealed = checkpoints[0][1] if checkpoints else 0
    series = [(at, size) for at, size, _root in reversed(checkpoints)]
    return [
        _state(last),
        tiles(
            tile(
                "Records sealed",
                number(sealed),
                f"root {bytes(checkpoints[0][2]).hex()[:16]}…" if checkpoints else "",
            ),
            tile(
                "Waiting to be sealed",
                number(pending),
                "sealed every few seconds",
                "warn" if pending > 10_000 else "",
            ),
            tile(
                "Last checkpoint",
                f"{checkpoints[0][0]:%d %b %H:%M}" if checkpoints else NONE,
                "signed, in UTC",
            ),
            tile(
                "Last verification",
                f"{last.finished_at:%d %b %H:%M}" if last else NONE,
                ("every record" if last.full else "a random sample") if last else "never",
            ),
            *(
                tile(
                    f"Witness {name}",
                    "up to date" if not behind else f"{behind} behind",
                    "",
                    "warn" if behind else "good",
                )
                for name, behind in witnesses
            ),
            tile(
                "Missed report runs",
                number(len(missed)),
                "scheduled and not made",
                "bad" if missed else "good",
            ),
        ),
        charts(
            chart(
                "Records sealed",
                sealed_over_time(series, theme),
                f"The newest {len(series)} signed checkpoints and the records that each covers.",
                ("Signed (UTC)", "Records"),
                [(f"{at:%Y-%m-%d %H:%M:%S}", number(size)) for at, size in series],
            )
            if series
            else None
        ),
        listed(
            "Verifications",
            ("Finished (UTC)", "Result", "Scope", "Records read", "Findings"),
            [
                (
                    f"{run.finished_at:%Y-%m-%d %H:%M}",
                    "sound" if run.ok else "contradictions",
                    "every record" if run.full else "a random sample",
                    f"{number(run.records)} of {number(run.tree_size)}",
                    number(len(run.findings)),
                )
                for run in runs
            ],
            empty=(
                "Never verified: run manage.py verify_audit, or press “Verify now” on the page of "
                "the trail's health."
            ),
        ),
        listed(
            "Missed report runs",
            ("Use case", "Kind", "Day"),
            [(run.use_case, run.kind, run.day.isoformat()) for run in missed],
            empty="Every scheduled report was made.",
        ),
    ]


def _state(last: VerificationRun | None) -> Any:
    if last is None:
        return verdict(
            "The trail has not been verified yet.", "Nothing is known to be wrong with it.", "warn"
        )
    if last.ok:
        return verdict(
            "The trail is sound.",
            f"The last verification read {number(last.records)} records and found each as it was sealed.",
            "good",
        )
    return verdict(
        "The trail contradicts itself.",
        f"The last verification has {number(len(last.findings))} findings: see the page of the "
        "trail's health.",
        "bad",
    )


app = page(
    "trail",
    "Audit health",
    "Whether the trail is whole: what is sealed, who holds it outside, what verification found.",
    draw,
    several=True,
)
