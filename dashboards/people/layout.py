"""Reviewers and operations: queue, waits, service level, load, agreement, reliance, known answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.filters import Filter
from dashboards.frame import page
from dashboards.parts import (
    MOST_ROWS,
    Told,
    behind,
    chart,
    charts,
    empty,
    estimate_tile,
    listed,
    note,
    nothing,
    period,
    tile,
    tiles,
    undivided,
    verdict,
)
from dashboards.people import figures
from dashboards.reading import of_filter
from dashboards.words import NONE, label, moment, number, percent, seconds, small

Document = Mapping[str, Any]
RELIANCE = (
    ("switched_when_ai_right", "Switched to a right AI"),
    ("kept_when_ai_wrong", "Kept their own against a wrong AI"),
    ("followed_when_ai_wrong", "Followed a wrong AI"),
    ("override_rate", "Override rate"),
    ("override_precision", "Overrides that are right"),
    ("over_reliance", "Agreed with the AI when it was wrong"),
    ("under_reliance", "Disagreed with the AI when it was right"),
)


def coefficient(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def draw(wanted: Filter, theme: str) -> Any:
    missing = nothing(wanted)
    if missing is not None:
        return missing
    found = of_filter(wanted, ["operations", "reviewers"])
    flow, people = found["operations"], found["reviewers"]
    if not flow["decisions"]:
        return [period(wanted), empty("No decision in this period.", "Choose an earlier one.")]
    return [
        period(wanted),
        undivided(wanted, "Times, lanes, load and edge cases"),
        *_stamping(people),
        tiles(*_tiles(flow, people)),
        charts(_lanes(flow, theme), _load(flow, theme), _times(flow, theme), _known(people, theme)),
        _reviewers(people),
        _reliance(people),
        _edges(flow),
        note("Nobody is ranked by speed, and nobody is ranked where intervals overlap."),
        behind(wanted, "The cases that people decided", lane="review"),
    ]


def _tiles(flow: Document, people: Document) -> list[Any]:
    state = flow["queue"].get("state") or {}
    outlook = state.get("outlook") or {}
    at_risk = state.get("at_risk", 0)
    wait = outlook.get("wait_minutes")
    return [
        tile(
            "Waiting now",
            number(flow["queue"]["open_tasks"]),
            f"the oldest since {moment(state['oldest_at'])}" if state.get("oldest_at") else "",
        ),
        tile(
            "At risk of their limit",
            number(at_risk),
            f"{number(state.get('overdue', 0))} over it",
            "warn" if at_risk else "good",
        ),
        tile(
            "Expected wait",
            NONE if wait is None else seconds(60 * wait),
            f"people needed: {outlook.get('staffing') or NONE}",
        ),
        estimate_tile("Within the limit", flow["sla_met"]),
        estimate_tile("Agreement of people (alpha)", people["alpha"], coefficient),
        estimate_tile("Known answers right", people["known_answer_accuracy"]),
        tile(
            "Decisions per reviewer hour",
            number(flow["decisions_per_reviewer_hour"]["value"])
            if "decisions_per_reviewer_hour" in flow
            else NONE,
            small(flow["decisions_per_reviewer_hour"], number)
            if "decisions_per_reviewer_hour" in flow
            else "",
        ),
    ]


def _stamping(people: Document) -> list[Any]:
    raised = people["rubber_stamping"]
    if not raised:
        return []
    names = ", ".join(
        f"{one['reviewer']} ({one['longest']} confirmations in a row where {one['expected']:.0f} "
        "would be usual)"
        for one in raised
    )
    return [
        verdict(
            "Longer runs of confirmations than chance explains.",
            f"{names}. A reason to look, no proof.",
            "warn",
        )
    ]


def _lanes(flow: Document, theme: str) -> Any:
    rows = [
        (lane, status, number(n))
        for lane, statuses in flow["lanes"].items()
        for status, n in statuses.items()
    ]
    return chart(
        "Where decisions went",
        figures.lanes(flow["lanes"], theme),
        f"{number(flow['decisions'])} decisions by lane, and what became of them.",
        ("Lane", "Status", "Decisions"),
        rows,
    )


def _load(flow: Document, theme: str) -> Any:
    capacity = flow["capacity"]
    if not capacity["days"]:
        return None
    people = capacity.get("people")
    told = f"{capacity['cases']:.0f} cases are expected over seven days"
    if capacity.get("hours") is not None:
        told += f", {capacity['hours']:.1f} hours of reviewing"
    if people is not None:
        told += f"; {people} {'person holds' if people == 1 else 'people hold'} the limit on the busiest day"
    return chart(
        "The load to come",
        figures.load_to_come(capacity["days"], theme),
        told + ".",
        ("Day", "Cases", "From", "To"),
        [
            (d["date"], *(f"{d[key]:.0f}" for key in ("cases", "low", "high")))
            for d in capacity["days"]
        ],
    )


def _times(flow: Document, theme: str) -> Any:
    found = {
        "waiting for a person": flow["waits"],
        "active time of a review": flow["handling"],
        **{f"ingest to release, {lane or 'no lane'}": one for lane, one in flow["release"].items()},
    }
    if not any(one["n"] for one in found.values()):
        return None
    return chart(
        "How long it takes",
        figures.times(found, theme),
        "Waits, reviewing itself, and the whole way from ingest to release.",
        ("Time", "n", "Median", "90 % within", "95 % within"),
        [
            (name, number(one["n"]), *(seconds(one[key]) for key in ("median", "p90", "p95")))
            for name, one in found.items()
        ],
    )


def _known(people: Document, theme: str) -> Any:
    asked = [one for one in people["by_reviewer"] if one["known_answer_accuracy"]["n"]][:MOST_ROWS]
    if not asked:
        return None
    return chart(
        "Known answers",
        figures.known_answers(asked, theme),
        "Cases whose answer is known, mixed in blind: the share that each reviewer decided right.",
        ("Reviewer", "Right", "Interval and n"),
        [
            (
                one["reviewer"],
                percent(one["known_answer_accuracy"]["value"]),
                small(one["known_answer_accuracy"]),
            )
            for one in asked
        ],
    )


def _reviewers(people: Document) -> Any:
    rows = []
    for one in sorted(people["by_reviewer"], key=lambda card: -card["reviews"]):
        place = one["place"]
        rows.append(
            (
                one["reviewer"],
                number(one["reviews"]),
                seconds(one["seconds"]["median"]),
                Told(coefficient(one["kappa"]["value"]), small(one["kappa"], coefficient)),
                *(
                    Told(percent(share["value"]), small(share))
                    for share in (one["reliance"]["over_reliance"], one["known_answer_accuracy"])
                ),
                NONE if place["best"] is None else f"{place['best']} to {place['worst']}",
                number(one["practice"]["last_week"]),
                ", ".join(one["practice"]["missing_qualifications"]) or NONE,
            )
        )
    return listed(
        "Reviewers",
        (
            "Reviewer",
            "Reviews",
            "Median time",
            "Kappa with peers",
            "Agreed with a wrong AI",
            "Known answers right",
            "Place by these",
            "Last week",
            "Lacks",
        ),
        rows,
        empty="Nobody has reviewed a case of this period.",
    )


def _reliance(people: Document) -> Any:
    found = people["reliance"]
    rows = [
        (words, percent(found[key]["value"]), small(found[key]))
        for key, words in RELIANCE
        if isinstance(found.get(key), dict)
    ]
    return listed(
        "Reliance on the AI",
        ("Figure", "Share", "Interval and n"),
        rows,
        "Switching can be told only where a first answer was given before the AI's was shown.",
    )


def _edges(flow: Document) -> Any:
    found = flow["edge_cases"]
    rows = [
        (
            label(kind),
            number(one["n"]),
            percent(one["decided_by_person"]["value"]),
            percent(one["decided_right"]["value"]),
            small(one["decided_right"]),
        )
        for kind, one in found.items()
    ]
    return listed(
        "Cases that a person should see",
        ("Kind", "Cases", "Decided by a person", "Of these right", "Interval and n"),
        rows,
        empty="No case was novel, unsure or matched by a rule.",
    )


app = page(
    "people",
    "Reviewers and operations",
    "What waits and for how long, who decides, and how far people rely on the AI.",
    draw,
)
