"""Executive: what every process is worth, how right it is, what needs somebody."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from dash import html

from dashboards.executive import figures
from dashboards.executive.data import (
    Process,
    by_period,
    handled,
    net_values,
    processes,
    total_automation,
)
from dashboards.executive.sentences import sentences
from dashboards.filters import Filter
from dashboards.frame import page
from dashboards.parts import (
    Told,
    behind,
    chart,
    charts,
    empty,
    estimate_tile,
    listed,
    nothing,
    period,
    tile,
    tiles,
    undivided,
)
from dashboards.words import NONE, interval, money, number, percent, points, small

HEAD = (
    "Process",
    "Level",
    "Decisions",
    "Automation",
    "AI alone",
    "People alone",
    "Combined",
    "Handled as demanded",
    "Net value",
    "ROI",
    "Cost per decision",
    "Open alerts",
)


def draw(wanted: Filter, theme: str) -> Any:
    found = processes(wanted) if wanted.use_cases else []
    if not found:
        return nothing(wanted) or [
            period(wanted),
            empty("No decision in this period.", "Choose an earlier one, or send decisions in."),
        ]
    frame = by_period(found)
    return [
        period(wanted),
        undivided(wanted, "Decisions, automation, compliance and money"),
        html.Ul([html.Li(one) for one in sentences(found)], className="sentences panel"),
        tiles(*_tiles(found)),
        charts(
            chart(
                "Accuracy by process",
                figures.accuracy_by_process(found, theme),
                "Share of right answers among decisions whose outcome is known, with 95 % intervals.",
                ("Process", "AI alone", "People alone", "Combined"),
                [
                    (
                        one.use_case.name,
                        *(
                            f"{percent(side['value'])} {interval(side)}"
                            for side in (
                                one.now["accuracy"][s] for s in ("ai", "human", "combined")
                            )
                        ),
                    )
                    for one in found
                ],
            ),
            chart(
                "Decisions over time",
                figures.volume_over_time(frame, theme),
                f"{number(int(frame['n'].sum()))} decisions, by whether a person saw them before "
                "they took effect.",
                ("From", "Decisions", "Without a person"),
                [
                    (f"{r.start:%Y-%m-%d}", f"{r.n:,.0f}", f"{r.automatic:,.0f}")
                    for r in frame.itertuples()
                ],
            ),
        ),
        listed("Every process", HEAD, [_row(one, wanted) for one in found]),
        behind(wanted),
    ]


def _tiles(found: Sequence[Process]) -> list[Any]:
    automation = total_automation(found)
    change = None
    if automation["before"] is not None and automation["now"] is not None:
        change = automation["now"] - automation["before"]
    broken, n = handled(found)
    tiles_ = [
        tile(
            f"Net value, {currency}",
            money(one["value"], currency),
            f"{interval(one, lambda end, c=currency: money(end, c))} · {processes_of(one['processes'])}",
            "good" if float(one["low"]) > 0 else "bad" if float(one["high"]) < 0 else "",
        )
        for currency, one in net_values(found).items()
    ]
    tiles_ += [
        tile(
            "Automation rate",
            percent(automation["now"]),
            f"{points(change)} on the period before · n = {n:,}"
            if change is not None
            else f"n = {n:,}",
        ),
        tile(
            "Handled as demanded",
            percent(1 - broken / n if n else None, 2),
            f"{broken:,} of {n:,} with an exception",
            "bad" if broken else "good",
        ),
        tile(
            "Open alerts",
            str(sum(one.alerts for one in found)),
            "raised and not yet resolved",
            "warn" if any(one.alerts for one in found) else "good",
        ),
    ]
    if len(found) == 1:
        one = found[0].now
        currency = one["business"]["currency"]
        tiles_ += [
            estimate_tile(
                "ROI", one["business"]["roi"], lambda v: NONE if v is None else f"{v:.1f}×"
            ),
            estimate_tile(
                "Cost per decision",
                one["business"]["cost_per_decision"],
                partial(money, currency=currency),
            ),
            estimate_tile("Combined accuracy", one["accuracy"]["combined"]),
        ]
    return tiles_


def processes_of(n: int) -> str:
    return "1 process" if n == 1 else f"{n} processes"


def _row(one: Process, wanted: Filter) -> tuple[Any, ...]:
    accuracy, business = one.now["accuracy"], one.now["business"]
    currency, roi = business["currency"], business["roi"]["value"]
    handled_ = one.now["compliance"]["handled_as_demanded"]
    link = f"/dashboards/accuracy/?{wanted.query(use_case=one.use_case.slug)}"
    return (
        html.A(one.use_case.name, href=link),
        one.level,
        number(one.decisions),
        percent(one.now["operations"]["automation_rate"]["value"]),
        *(
            Told(percent(accuracy[side]["value"]), small(accuracy[side]))
            for side in ("ai", "human", "combined")
        ),
        Told(percent(handled_["value"], 2), small(handled_)),
        Told(
            money(business["net_value"]["value"], currency),
            small(business["net_value"], partial(money, currency=currency)),
        ),
        NONE if roi is None else f"{roi:.1f}×",
        money(business["cost_per_decision"]["value"], currency),
        str(one.alerts),
    )


app = page(
    "executive",
    "Executive",
    "What every process is worth, how right it is, and what needs somebody.",
    draw,
    several=True,
)
