"""New York's table of a bias audit: rates and ratios by category, and what is left out and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dashboards.parts import listed
from dashboards.words import NONE, number, percent

SIDES = (("ai", "AI's output"), ("final", "What took effect"))
HEAD = (
    "Category",
    "People",
    "Given the favourable label",
    "Rate",
    "Impact ratio",
    "Left out of the ratios",
)


def local_law(
    name: str,
    words: str,
    tables: Mapping[str, Mapping[str, Any]],
    write: Callable[..., Any] = listed,
) -> Any:
    """The table of one attribute, both sides.

    Parameters: ``words``: the attribute's name as people say it; ``tables``: side -> attribute -> the
    rule's table; ``write``: ``listed`` or ``folded``.
    """
    rows, said = [], []
    for side, label in SIDES:
        table = tables[side].get(name)
        if table is None:
            continue
        for category, one in table["categories"].items():
            rows.append((f"{label}: {category}", *_figures(one), one.get("left_out", "")))
        refused = (f"{category}: {why}" for category, why in table["refused"].items())
        said += [one for one in refused if one not in said]
    note = (
        "6 RCNY 5-301: each rate over that of the most selected category. A category below 2 % of "
        "the people may be left out of the ratios with a stated reason (in the use case); its rate "
        "is shown all the same, and it is never what the others are compared with."
    )
    if said:
        note += f" Not left out, though the use case asks for it: {'; '.join(said)}."
    return write(
        f"Local Law 144, by {words}",
        HEAD,
        rows,
        note,
        "Nobody of a known group was decided on.",
    )


def _figures(one: Mapping[str, Any]) -> tuple[str, str, str, str]:
    ratio = (one.get("impact_ratio") or {}).get("value")
    return (
        f"{number(one['applicants'])} ({percent(one['share'])})",
        number(one["selected"]),
        percent(one["selection_rate"]),
        NONE if ratio is None else f"{ratio:.3f}",
    )
