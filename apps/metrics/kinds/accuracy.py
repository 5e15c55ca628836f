"""Accuracy from cells: the figures of ``domain.accuracy``, by segment and over time besides.

The cells add up to what ``accuracy_report`` gathers from rows, and every figure is made by the same
functions.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from apps.metrics.domain.audited import POST_STRATIFIED, audited_share
from apps.metrics.domain.calibration import BINS, brier_of_sums, ece_of_bins
from apps.metrics.domain.estimates import Estimate
from apps.metrics.domain.tables import Table, collapse
from apps.metrics.kinds.automatic_lane import never_sampled, strata_of
from apps.metrics.kinds.classes import by_class
from apps.metrics.kinds.reading import (
    GROUP,
    UNKNOWN,
    Cells,
    Facts,
    attributes_of,
    counted,
    documents,
    judged_of,
    label_set,
)
from apps.metrics.kinds.segments import SEGMENTS, over_time, segments
from apps.metrics.kinds.sides import (
    ai_share,
    combined_share,
    consensus_share,
    human_share,
    with_outcome,
)
from apps.metrics.kinds.team import team

FAMILIES: Final = ("outcome", "calibration", "people")
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
