"""Steps of the figures, each in a process of its own: ``python -m benchmarks.figures_peers_steps STEP``.

What is ours is measured several times, the median counts; a peer that takes a minute once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import django

from benchmarks.cells_data import SLUG
from benchmarks.figures_peers_drift import drift
from benchmarks.figures_peers_fairness import (
    bias,
    bias_by_fairlearn,
    bias_by_orm,
    bias_stored,
    bootstrap,
    bootstrap_by_fairlearn,
)
from benchmarks.figures_peers_frames import write_frames
from benchmarks.figures_peers_unlabelled import accuracy
from benchmarks.peer.timing import middle


def frames(folder: str) -> dict[str, Any]:
    return write_frames(Path(folder))


def frontier() -> dict[str, Any]:
    """All points with fairness by group: from the cells in memory, and as the page asks for it."""
    from apps.metrics.cells.window import read_cells
    from apps.metrics.domain.cell_levels import groups_from, levels_from
    from apps.metrics.domain.frontier import frontier as points_of
    from apps.metrics.first_reading import Window
    from apps.metrics.whatif.basis import answers_of, policy_standing, prices_of
    from apps.metrics.whatif.frontiers import FAMILIES, frontier_of
    from apps.registry.models import UseCase

    use_case = UseCase.objects.get(pk=SLUG)
    looked = policy_standing(use_case)
    cells = read_cells(use_case, Window(), FAMILIES, refresh=False)
    confidence, groups = (cells.summed(name) for name in ("confidence", "groups"))
    people = cells.summed("people", "levels")
    answers, prices = answers_of(use_case), prices_of(use_case, looked)
    levels, by_group = levels_from(confidence, people, answers), groups_from(groups, answers)
    found, seconds = middle(lambda: points_of(levels, prices, by_group))
    _, from_cells = middle(
        lambda: points_of(
            levels_from(confidence, people, answers), prices, groups_from(groups, answers)
        )
    )
    _, stored = middle(lambda: frontier_of(use_case, Window(), looked, refresh=False))
    assert len(found.points) == 101, len(found.points)
    assert set(found.points[50]["impact_ratio"]) == {"group", "sex"}
    return {"seconds": seconds, "from_cells": from_cells, "stored": stored, "n": found.n}


STEPS = {
    step.__name__: step
    for step in (
        frames,
        bias,
        bias_by_fairlearn,
        bootstrap,
        bootstrap_by_fairlearn,
        drift,
        accuracy,
        frontier,
        bias_stored,
        bias_by_orm,
    )
}


def main(name: str, *arguments: str) -> None:
    django.setup()
    from apps.common.memory import collect_rarely

    collect_rarely()  # as every process of the platform
    print(json.dumps(STEPS[name](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
