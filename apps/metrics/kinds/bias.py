"""Bias from cells: the AI's output and what took effect side by side, by group and by reviewer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from apps.metrics.domain.bias import bias_report
from apps.metrics.domain.bootstrap import bootstrap_report
from apps.metrics.domain.fairness import RATES, gap, parts_of
from apps.metrics.domain.groups import GroupCells, answered, counts_of, group_by, subsets
from apps.metrics.domain.impact import local_law_144
from apps.metrics.domain.proportions import Part
from apps.metrics.domain.reliance import FEW
from apps.metrics.domain.tables import NONE, Ints, Table, codes_by, collapse
from apps.metrics.kinds.reading import GROUP, Cells, Facts, attributes_of, label_set

FAMILIES: Final = ("outcome", "reviews")
SIDES: Final = {"ai": "given", "final": "final"}
GAPS: Final = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equalized_odds_difference",
    "impact_ratio",
)
NO_ATTRIBUTE: Final = "the use case names no protected attribute"
DEFINITIONS: Final = {
    "selection_rate": "share given the favourable label, of all decisions with a label",
    "tpr": "share given the positive label, of cases that are truly positive",
    "fpr": "share given the positive label, of cases that are truly other than positive",
    "fnr": "share not given the positive label, of cases that are truly positive",
    "accuracy": "share whose label is the true one, of decisions with an outcome",
    "demographic_parity_difference": "highest less lowest selection rate; Newcombe's interval",
    "demographic_parity_ratio": "lowest over highest selection rate, exact; Katz's interval",
    "equalized_odds_difference": "the larger of the gaps of tpr and fpr",
    "impact_ratio": "as demographic_parity_ratio (29 CFR 1607.4(D); 6 RCNY 5-300)",
    "intervals": "Wilson for rates; of the pair farthest apart, Bonferroni over all pairs",
    "undefined": "a rate without a case to count among is null, with its reason, and in no gap",
}


def report(cells: Cells, facts: Facts) -> dict[str, Any]:
    """Every figure of bias.

    Definition: ``ai`` and ``final``: ``domain.bias.bias_report`` of the AI's labels and of those
    that took effect, by each protected attribute and their intersections; ``change``: what
    oversight did to each gap, final less ai; ``local_law_144``: New York's table of each;
    ``bootstrap``: intervals by drawing, beside those above; ``by_reviewer``: the gaps of each
    reviewer's verdicts, of those with 20 or more.
    Parameters: ``cells`` with FAMILIES; ``facts``: labels, smallest, draws, seed, people,
    left_out (attribute -> category -> reason, for New York's table).
    Returns: a JSON object; empty by attribute where the use case names none, and why.
    """
    return _figures(cells, facts, whole=True)


def shown(cells: Cells, facts: Facts) -> dict[str, Any]:
    """The figures of ``report``, the same to the bit, without ``bootstrap``, and without fairlearn's
    frames, which give the values that the counts give."""
    return _figures(cells, facts, whole=False)


def _figures(cells: Cells, facts: Facts, *, whole: bool) -> dict[str, Any]:
    labels = label_set(facts)
    outcome = cells.table("outcome")
    sides = {side: group_cells(outcome, column, labels.names) for side, column in SIDES.items()}
    found: dict[str, Any] = {
        side: bias_report(one, labels.favourable, labels.event, facts["smallest"], judged=whole)
        for side, one in sides.items()
    }
    found["change"] = changes(found["ai"], found["final"])
    found["local_law_144"] = {
        side: law_tables(one, labels.favourable, facts["left_out"]) for side, one in sides.items()
    }
    if whole:
        found["bootstrap"] = {
            side: drawn_intervals(one, labels.favourable, labels.event, facts)
            for side, one in sides.items()
        }
    found["by_reviewer"] = by_reviewer(cells.table("reviews", "cells"), labels.favourable, facts)
    found["without_label"] = {side: without_label(outcome, SIDES[side]) for side in SIDES}
    found |= {"favourable": labels.favourable or None, "positive": labels.event or None}
    found["definitions"] = dict(DEFINITIONS)
    return found if attributes_of(outcome) else found | {"why": NO_ATTRIBUTE}


def group_cells(table: Table, given: str, labels: tuple[str, ...]) -> GroupCells:
    """A table's cells as the domain's, by protected attributes, label given and true label.

    Parameters: ``table`` with the texts "true", ``given`` and "group:NAME", and the numbers "n";
    ``labels`` of the use case; others that stand in the cells follow them.
    Returns: GroupCells; cells alike in all of these are one.
    """
    attributes = attributes_of(table)
    columns = [f"{GROUP}{name}" for name in attributes]
    small = collapse(table, (*columns, given, "true"), ("n",))
    seen = {name for column in (given, "true") for name in small.texts[column].names}
    names = (*labels, *sorted(seen - set(labels)))
    codes: list[Ints] = [small.texts[column].codes for column in columns]
    empty = np.zeros((small.length, 0), dtype=np.int64)
    return GroupCells(
        attributes,
        tuple(small.texts[column].names for column in columns),
        np.column_stack(codes) if codes else empty,
        names,
        codes_by(small, given, names),
        codes_by(small, "true", names),
        small.ints("n"),
    )


def changes(ai: Mapping[str, Any], final: Mapping[str, Any]) -> dict[str, Any]:
    """What oversight did to each gap: the AI's, that of what took effect, and the difference.

    Returns: attribute -> gap -> {"ai", "final", "change"}, and "groups": group -> rate -> the same;
    null where either side is.
    """
    found: dict[str, Any] = {}
    for attribute in sorted(ai.keys() & final.keys()):
        one, other = ai[attribute], final[attribute]
        gaps = {name: _change(one[name]["value"], other[name]["value"]) for name in GAPS}
        groups = {
            group: {
                rate: _change(one["groups"][group][rate]["value"], figures[rate]["value"])
                for rate in RATES
            }
            for group, figures in other["groups"].items()
            if group in one["groups"]
        }
        found[attribute] = {**gaps, "groups": groups}
    return found


def _change(ai: float | None, final: float | None) -> dict[str, float | None]:
    change = None if ai is None or final is None else final - ai
    return {"ai": ai, "final": final, "change": change}


def law_tables(
    cells: GroupCells, favourable: str, left_out: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """New York's table for each attribute and intersection: see ``local_law_144``."""
    with_label = answered(cells)
    found: dict[str, Any] = {}
    for chosen in subsets(with_label):
        grouping = group_by(with_label, chosen)
        counts = counts_of(with_label, grouping, favourable, favourable)
        parts = parts_of(counts, grouping.names)["selection_rate"]
        name = " & ".join(chosen)
        found[name] = local_law_144(parts, grouping.unknown, left_out.get(name))
    return found


def drawn_intervals(
    cells: GroupCells, favourable: str, positive: str, facts: Facts
) -> dict[str, Any]:
    """Bootstrap intervals for each attribute and intersection: see ``bootstrap_report``."""
    with_label = answered(cells)
    return {
        " & ".join(chosen): bootstrap_report(
            with_label,
            group_by(with_label, chosen),
            favourable,
            positive,
            draws=facts["draws"],
            seed=facts["seed"],
        )
        for chosen in subsets(with_label)
    }


def without_label(outcome: Table, column: str) -> int:
    """Decisions that are in no rate of a side: the AI gave no label, or none took effect."""
    return int(outcome.ints("n")[outcome.texts[column].codes == NONE].sum())


# --- By reviewer ----------------------------------------------------------------------------


def favourable_parts(reviews: Table, favourable: str) -> dict[str, dict[str, dict[str, Part]]]:
    """Each reviewer's favourable verdicts by group.

    Definition: the verdict is what the reviewer said in the end, else what was said first; reviews
    without a label are left out, as are those of unknown groups.
    Parameters: ``reviews``, the table "cells" of the family; ``favourable`` label.
    Returns: reviewer -> attribute -> group -> Part.
    """
    final = codes_by(reviews, "final", (favourable,))
    first = codes_by(reviews, "first", (favourable,))
    said = reviews.texts["final"].codes != NONE
    favoured = np.where(said, final == 0, first == 0)
    n = reviews.ints("n") * (said | (reviews.texts["first"].codes != NONE))
    reviewer = reviews.texts["reviewer"]
    found: dict[str, dict[str, dict[str, Part]]] = {}
    for attribute in attributes_of(reviews):
        group = reviews.texts[f"{GROUP}{attribute}"]
        width = len(group.names)
        used = (group.codes != NONE) & (reviewer.codes != NONE) & (n > 0)
        key = reviewer.codes[used] * width + group.codes[used]
        size = len(reviewer.names) * width
        totals = np.bincount(key, n[used], minlength=size).astype(np.int64)
        hits = np.bincount(key, (n * favoured)[used], minlength=size).astype(np.int64)
        for at in np.flatnonzero(totals).tolist():
            person = found.setdefault(reviewer.names[at // width], {})
            part = Part(int(hits[at]), int(totals[at]))
            person.setdefault(attribute, {})[group.names[at % width]] = part
    return found


def by_reviewer(reviews: Table, favourable: str, facts: Facts) -> dict[str, Any]:
    """The largest gap of favourable shares in each reviewer's verdicts.

    Definition: ``domain.fairness.gap`` over the groups of an attribute; the cases that came to one
    reviewer are not those that came to another. Neutral value: 0; lower is better.
    Returns: {"smallest": 20, "too_few": reviewers with fewer verdicts, "reviewers": [{"reviewer",
    "n", "gaps": {attribute: estimate}}]}, by name.
    """
    people: Mapping[str, str] = facts["people"]
    shown: list[dict[str, Any]] = []
    too_few = 0
    for key, attributes in favourable_parts(reviews, favourable).items():
        n = max(sum(part.n for part in groups.values()) for groups in attributes.values())
        if n < FEW:
            too_few += 1
            continue
        gaps = {name: gap(groups).document() for name, groups in sorted(attributes.items())}
        shown.append({"reviewer": people.get(key, key), "n": n, "gaps": gaps})
    shown.sort(key=lambda one: str(one["reviewer"]))
    return {"smallest": FEW, "too_few": too_few, "reviewers": shown}
