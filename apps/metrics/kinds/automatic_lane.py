"""The lane that nobody looks at, from its random audits."""

from __future__ import annotations

import numpy as np

from apps.metrics.domain.audited import Strata
from apps.metrics.domain.tables import Table
from apps.metrics.kinds.reading import counted


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
