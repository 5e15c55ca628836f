"""Whether people and the AI together do better than the better of the two alone."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from apps.metrics.domain.estimates import Estimate
from apps.metrics.domain.gain import team_gain
from apps.metrics.domain.tables import Table
from apps.metrics.kinds.reading import UNKNOWN, Judged, documents

ON_AVERAGE: Final = (
    "On average people and AI together do worse than the better of the two alone "
    "(M. Vaccaro et al., Nature Human Behaviour 8 (2024) 2293)."
)
ALONE: Final = {"ai": "the AI alone", "human": "people alone"}


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
    found = f"{gain.value:+z.4f} [{gain.low:+z.4f}, {gain.high:+z.4f}], n = {gain.n:,}"
    if gain.high < 0:
        return (
            f"The team does worse than {ALONE[better]}: its accuracy differs by {found}. "
            f"{ON_AVERAGE}"
        )
    return (
        f"It is not shown that the team beats {ALONE[better]}: its accuracy differs by {found}, "
        f"which may be no gain at all. {ON_AVERAGE}"
    )
