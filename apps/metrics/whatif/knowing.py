"""What is known of stored decisions, as the arrays that the what-if adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.metrics.domain.cell_levels import Answers
from apps.metrics.domain.levels import BINS
from apps.metrics.domain.simulation import Cases
from apps.metrics.domain.tables import text_of
from apps.metrics.whatif.reading import Stored


@dataclass(frozen=True, slots=True)
class _Told:
    """One decision: None where it is not known."""

    right: bool | None
    error_cost: float
    people: float | None
    people_cost: float
    liked: float | None


def cases_of(
    stored: Sequence[Stored], answers: Answers, groups: dict[str, list[str | None]]
) -> Cases:
    """The arrays of some decisions; ``groups``: attribute -> the group of each, None unknown."""
    costs = {pair: float(cost) for pair, cost in answers.costs.items()}
    told = [_told(one, answers, costs) for one in stored]
    confidence = np.array([one.row.confidence or 0.0 for one in stored], dtype=float)
    columns = {attribute: text_of(each) for attribute, each in groups.items()}
    return Cases(
        bin=np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1),
        known=_there(one.right for one in told),
        right=np.array([one.right is True for one in told], dtype=bool),
        error_cost=np.array([one.error_cost for one in told], dtype=float),
        judged=_there(one.people for one in told),
        people=np.array([one.people or 0.0 for one in told], dtype=float),
        people_cost=np.array([one.people_cost for one in told], dtype=float),
        favoured=np.array(
            [bool(answers.favourable) and one.row.label == answers.favourable for one in stored],
            dtype=bool,
        ),
        asked=_there(one.liked for one in told),
        liked=np.array([one.liked or 0.0 for one in told], dtype=float),
        groups={attribute: (text.names, text.codes) for attribute, text in columns.items()},
    )


def _there(values: Any) -> Any:
    return np.array([value is not None for value in values], dtype=bool)


def _told(one: Stored, answers: Answers, costs: dict[tuple[str, str], float]) -> _Told:
    truth, given = one.truth, one.row.label
    verdicts, size = one.verdicts, len(one.verdicts)
    liked = verdicts.count(answers.favourable) / size if size else None
    if one.row.kind != "label":
        return _Told(one.correct, 0.0, None, 0.0, liked)
    right = None if truth is None or given is None else truth == given
    wrong_cost = 0.0 if right is not False else costs.get((truth or "", given or ""), 0.0)
    if truth is None or not size:
        return _Told(right, wrong_cost, None, 0.0, liked)
    people_cost = sum(costs.get((truth, said), 0.0) for said in verdicts if said != truth) / size
    return _Told(right, wrong_cost, verdicts.count(truth) / size, people_cost, liked)
