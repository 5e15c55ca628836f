"""Accuracy from cells: the figures of ``domain.accuracy``, by segment and over time besides.

The cells add up to what ``accuracy_report`` gathers from rows, and every figure is made by the same
functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np

from apps.metrics.domain.accuracy import NO_EFFECT, NO_OUTCOME, NO_VERDICT, Labels
from apps.metrics.domain.audited import POST_STRATIFIED, Strata, audited_share
from apps.metrics.domain.bias import SMALLEST
from apps.metrics.domain.calibration import BINS, brier_of_sums, ece_of_bins
from apps.metrics.domain.classes import confusion_of, error_rates, per_class
from apps.metrics.domain.drift import accuracy_over_time
from apps.metrics.domain.estimates import Estimate, share, share_by_case
from apps.metrics.domain.gain import team_gain
from apps.metrics.domain.tables import Mask, Table, collapse, where
from apps.metrics.kinds.reading import (
    GROUP,
    UNKNOWN,
    Cells,
    Facts,
    Judged,
    attributes_of,
    counted,
    documents,
    judged_of,
    label_set,
    pairs,
    periods,
)

FAMILIES: Final = ("outcome", "calibration", "people")
SEGMENTS: Final = ("version", "lane")
COLUMNS: Final = (
    *SEGMENTS,
    "given",
    "final",
    "true",
    "right",
    "right_final",
    "drawn",
    "unseen",
    "chance",
)
ON_AVERAGE: Final = (
    "On average people and AI together do worse than the better of the two alone "
    "(M. Vaccaro et al., Nature Human Behaviour 8 (2024) 2293)."
)
ALONE: Final = {"ai": "the AI alone", "human": "people alone"}


def report(cells: Cells, facts: Facts) -> dict[str, Any]:
    """Every figure of accuracy.

    Definition: as ``domain.accuracy.accuracy_report``; besides: ``automatic_lane_post_stratified``,
    the same from the strata of equal chance; ``team``, whether what took effect beats the better of
    AI and people alone; ``segments``; ``over_time``.
    Parameters: ``cells`` of a window with FAMILIES; ``facts`` with the use case's labels.
    Returns: a JSON object. A figure without data is null and says why.
    """
    labels = label_set(facts)
    outcome = lean(cells.table("outcome"))
    people = judged_of(cells.table("people"), labels)
    known = with_outcome(outcome)
    ai, human = ai_share(outcome), human_share(people)
    figures = {
        "ai": ai,
        "human": human,
        "human_consensus": consensus_share(people),
        "combined": combined_share(outcome),
        "automatic_lane": audited_share(strata_of(outcome)),
        "automatic_lane_post_stratified": audited_share(strata_of(outcome), POST_STRATIFIED),
        **calibration_of(cells.table("calibration")),
    }
    found: dict[str, Any] = documents(figures)
    without = known & (outcome.ints("right_final") == UNKNOWN)
    n, left_out = counted(outcome.ints("n"), known), counted(outcome.ints("n"), without)
    found["combined"] |= {"left_out": {"n": left_out, "share": left_out / n if n else None}}
    for name in ("automatic_lane", "automatic_lane_post_stratified"):
        found[name] |= {"never_sampled": never_sampled(outcome)}
    return {
        "decisions": {"n": int(outcome.ints("n").sum()), "with_outcome": n},
        **found,
        **team(outcome, people, ai, human),
        **by_class(outcome, people, labels),
        "segments": segments(outcome),
        "over_time": over_time(cells),
    }


def lean(outcome: Table) -> Table:
    """The cells without what no figure of accuracy asks for, equal ones of all days as one."""
    groups = (f"{GROUP}{name}" for name in attributes_of(outcome))
    return collapse(outcome, (*COLUMNS, *groups), ("n",))


# --- The sides ------------------------------------------------------------------------------


def with_outcome(outcome: Table) -> Mask:
    """Cells whose cases have an outcome, as a label or as right or wrong."""
    known: Mask = (outcome.texts["true"].codes != UNKNOWN) | (outcome.ints("right") != UNKNOWN)
    return known


def _share_of(table: Table, column: str, why: str) -> Estimate:
    right, n = table.ints(column), table.ints("n")
    return share(counted(n, right == 1), counted(n, right != UNKNOWN), why)


def ai_share(outcome: Table) -> Estimate:
    """The share of the AI's outputs that are right, among those with an outcome."""
    return _share_of(outcome, "right", NO_OUTCOME)


def combined_share(outcome: Table) -> Estimate:
    """The same of what took effect."""
    return _share_of(outcome, "right_final", NO_EFFECT)


def human_share(people: Judged) -> Estimate:
    """The share of people's first verdicts that are right, among cases with an outcome."""
    known = people.true != UNKNOWN
    counts = people.n[known].tolist()
    return share_by_case(
        people.hits[known].tolist(), people.sizes[known].tolist(), NO_VERDICT, counts
    )


def consensus_share(people: Judged) -> Estimate:
    """The share of cases whose plain majority of first verdicts is right."""
    known = (people.true != UNKNOWN) & (people.sizes > 0)
    right = counted(people.n, known & (people.consensus == people.true))
    return share(right, counted(people.n, known), NO_VERDICT)


def calibration_of(table: Table) -> dict[str, Estimate]:
    """The expected calibration error and the Brier score, from their exact sums.

    Parameters: ``table`` of the family ``calibration``.
    """
    used = table.texts["given"].codes != UNKNOWN
    place, n, hits = table.ints("bin")[used], table.ints("n")[used], table.ints("right")[used] == 1
    each, said, right_ones = (
        np.bincount(place, one, BINS).astype(np.float64)
        for one in (n, table.floats("sum")[used], n * hits)
    )
    squares, fourths = (float(table.floats(name)[used].sum()) for name in ("square", "fourth"))
    return {
        "ece": ece_of_bins(each, said, right_ones),
        "brier": brier_of_sums(int(n.sum()), squares, fourths),
    }


# --- The automatic lane ---------------------------------------------------------------------


def strata_of(outcome: Table) -> Strata:
    """The decisions that came to the random audit, by their chance of it."""
    chance, n = outcome.floats("chance"), outcome.ints("n")
    came = np.isfinite(chance) & (chance > 0)
    levels, at = np.unique(chance[came], return_inverse=True)
    drawn = outcome.ints("drawn")[came] == 1
    right = outcome.ints("right")[came]
    size, drawn_ones, known, hits = (
        np.bincount(at.reshape(-1), n[came] * mask, len(levels)).astype(np.int64)
        for mask in (np.ones(len(right), bool), drawn, drawn & (right != -1), drawn & (right == 1))
    )
    return Strata(levels, size, drawn_ones, known, hits)


def never_sampled(outcome: Table) -> int:
    """Decisions released without a person that had no chance of an audit."""
    chance = outcome.floats("chance")
    came = np.isfinite(chance) & (chance > 0)
    return counted(outcome.ints("n"), ~came & (outcome.ints("unseen") == 1))


# --- The team -------------------------------------------------------------------------------


def team(outcome: Table, people: Judged, ai: Estimate, human: Estimate) -> dict[str, Any]:
    """What took effect against either side alone, and whether it beats the better one.

    Returns: {"team_gain", "team"}; ``team_gain`` is against the side whose figure is larger, the AI
    where they are equal; ``team``: both sides, and a warning in words unless the whole interval
    against the better one lies above 0.
    """
    against = {"ai": _gain_over_ai(outcome), "human": _gain_over_people(people)}
    values = {"ai": ai.value, "human": human.value}
    known = {side: value for side, value in values.items() if value is not None}
    better = max(known, key=known.__getitem__, default=None)
    gain = against[better] if better else team_gain([], [], [], None)
    beats = None if gain.low is None else gain.low > 0
    return {
        "team_gain": gain.document(),
        "team": {
            "better_alone": better,
            "beats_the_better": beats,
            "warning": warning_of(gain, better),
            "against": documents(against),
        },
    }


def _gain_over_ai(outcome: Table) -> Estimate:
    right, final = outcome.ints("right"), outcome.ints("right_final")
    used = (right != UNKNOWN) & (final != UNKNOWN)
    ones = np.ones(int(used.sum()), dtype=np.int64)
    combined = (final[used] == 1).tolist()
    counts = outcome.ints("n")[used].tolist()
    return team_gain(combined, right[used].tolist(), ones.tolist(), "ai", counts)


def _gain_over_people(people: Judged) -> Estimate:
    used = (people.true != UNKNOWN) & (people.right_final != UNKNOWN)
    combined = (people.right_final[used] == 1).tolist()
    hits, sizes = people.hits[used].tolist(), people.sizes[used].tolist()
    return team_gain(combined, hits, sizes, "human", people.n[used].tolist())


def warning_of(gain: Estimate, better: str | None) -> str | None:
    """What a person must know about the team, in plain words; None where it is shown to be better."""
    if gain.value is None or gain.low is None or gain.high is None or better is None:
        return f"Whether the team beats the better of the two cannot be told: {gain.why}."
    if gain.low > 0:
        return None
    found = f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}], n = {gain.n:,}"
    if gain.high < 0:
        return (
            f"The team does worse than {ALONE[better]}: its accuracy differs by {found}. "
            f"{ON_AVERAGE}"
        )
    return (
        f"It is not shown that the team beats {ALONE[better]}: its accuracy differs by {found}, "
        f"which may be no gain at all. {ON_AVERAGE}"
    )


# --- By class, by segment, over time --------------------------------------------------------


def by_class(outcome: Table, people: Judged, labels: Labels) -> dict[str, Any]:
    """Precision, recall and F1 of each label, and the confusion matrix of each side."""
    known = outcome.ints("right") != UNKNOWN
    ai = confusion_of(pairs(outcome, "given", known), labels.names)
    took_effect = outcome.ints("right_final") != UNKNOWN
    tables = {
        "ai": ai,
        "human": confusion_of(verdict_pairs(people), labels.names),
        "human_consensus": confusion_of(_consensus_pairs(people), labels.names),
        "combined": confusion_of(pairs(outcome, "final", took_effect), labels.names),
    }
    classes = {
        label: {
            name: figure.document() if isinstance(figure, Estimate) else figure
            for name, figure in figures.items()
        }
        for label, figures in per_class(ai).items()
    }
    confusion: dict[str, Any] = {"positive": labels.event or None}
    for side, table in tables.items():
        rates: Mapping[str, Estimate] = {}
        if labels.event in table.labels:
            human = side == "human"
            rates = _human_rates(people, labels) if human else error_rates(table, labels.event)
        confusion[side] = {
            "labels": list(table.labels),
            "counts": [list(row) for row in table.counts],
            **documents(rates),
        }
    return {"per_class": classes, "confusion": confusion}


def verdict_pairs(people: Judged) -> Counter[tuple[str, str]]:
    """(true label, first verdict) -> verdicts."""
    found: Counter[tuple[str, str]] = Counter()
    for true in np.unique(people.true[people.true != UNKNOWN]).tolist():
        rows = people.true == true
        sums = people.n[rows] @ people.verdicts[rows]
        for label, count in zip(people.names, sums.tolist(), strict=True):
            if count:
                found[people.names[true], label] = count
    return found


def _consensus_pairs(people: Judged) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    used = (people.true != UNKNOWN) & (people.consensus != UNKNOWN)
    rows = (people.true[used], people.consensus[used], people.n[used])
    for true, given, n in zip(*(column.tolist() for column in rows), strict=True):
        found[people.names[true], people.names[given]] += n
    return found


def _human_rates(people: Judged, labels: Labels) -> dict[str, Estimate]:
    """The error rates of first verdicts, as ``domain.accuracy`` has them."""
    event, known = labels.event, people.true != UNKNOWN
    is_event = np.array([name == event for name in people.names], dtype=bool)
    truly = known & is_event[people.true]
    called, sizes = people.of(event), people.sizes
    found = {}
    for name, mask, hits, why in (
        ("fpr", known & ~truly, called, f"no judged case is truly other than {event!r}"),
        ("fnr", truly, sizes - called, f"no judged case is truly {event!r}"),
    ):
        columns = (hits[mask].tolist(), sizes[mask].tolist(), why, people.n[mask].tolist())
        found[name] = share_by_case(*columns)
    return found


def segments(outcome: Table) -> dict[str, Any]:
    """The AI's accuracy and that of what took effect, by model version, lane and group.

    Returns: dimension -> its value -> {"n", "with_outcome", "ai", "combined"}; below 30 with an
    outcome a segment says so. Decisions whose value is unknown are in none.
    """
    columns = (*SEGMENTS, *(f"{GROUP}{name}" for name in attributes_of(outcome)))
    found: dict[str, Any] = {}
    for column in columns:
        text = outcome.texts[column]
        found[column] = {
            name: _segment(where(outcome, text.codes == code))
            for code, name in enumerate(text.names)
            if (text.codes == code).any()
        }
    return found


def _segment(outcome: Table) -> dict[str, Any]:
    known = counted(outcome.ints("n"), with_outcome(outcome))
    found: dict[str, Any] = {"n": int(outcome.ints("n").sum()), "with_outcome": known}
    found |= documents({"ai": ai_share(outcome), "combined": combined_share(outcome)})
    if known < SMALLEST:
        found["too_small"] = f"n = {known} is below the minimum of {SMALLEST}"
    return found


def over_time(cells: Cells) -> dict[str, Any]:
    """Accuracy by period (see ``periods``), and whether it changes.

    Returns: {"periods": [{"from", "to", "n", "ai", "combined"}], "trend": {"ai", "combined"}}.
    """
    series: list[dict[str, Any]] = []
    sums: dict[str, list[tuple[int, int]]] = {"right": [], "right_final": []}
    by_day = cells.per_day("outcome")
    for first, last, days in periods(by_day):
        tables = [by_day[day] for day in days]
        parts = {column: _sums_of(tables, column) for column in sums}
        for column, part in parts.items():
            sums[column].append(part)
        ai, combined = share(*parts["right"], NO_OUTCOME), share(*parts["right_final"], NO_EFFECT)
        n = sum(int(table.ints("n").sum()) for table in tables)
        series.append(_period(first, last, n, {"ai": ai, "combined": combined}))
    trend = {
        name: accuracy_over_time(
            *(np.array([p[i] for p in sums[column]], np.int64) for i in (0, 1))
        )
        for name, column in (("ai", "right"), ("combined", "right_final"))
    }
    return {"periods": series, "trend": trend}


def _period(first: date, last: date, n: int, figures: Mapping[str, Estimate]) -> dict[str, Any]:
    return {"from": first.isoformat(), "to": last.isoformat(), "n": n, **documents(figures)}


def _sums_of(tables: list[Table], column: str) -> tuple[int, int]:
    """(right, known) of some days."""
    right = sum(counted(table.ints("n"), table.ints(column) == 1) for table in tables)
    return right, sum(counted(table.ints("n"), table.ints(column) != -1) for table in tables)
