"""Figures looked at and not stored: for limits, tripwires and the executive's page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.metrics.cells.window import read_cells
from apps.metrics.domain.figures import Figure, figure_at
from apps.metrics.facts import facts_of
from apps.metrics.first_reading import Window
from apps.metrics.reports import KINDS, figures_of, reference_cells
from apps.registry.models import UseCase


@dataclass(slots=True)
class Looks:
    """The reports of one use case as of one moment; each kind and window is made once.

    Days that changed are counted again at the first look, and never after it.
    """

    use_case: UseCase
    now: datetime
    _made: dict[tuple[str, Window], dict[str, Any]] = field(default_factory=dict)

    def report(self, kind: str, window: Window) -> dict[str, Any]:
        """One report. Raises: KeyError: there is no such kind."""
        key = (kind, window)
        if key not in self._made:
            made, fresh = KINDS[kind], not self._made
            cells = read_cells(
                self.use_case, window, made.families, refresh=fresh, rolled=made.rolled
            )
            facts = facts_of(kind, self.use_case, window, cells, self.now)
            reference = reference_cells(self.use_case, kind, facts)
            self._made[key] = figures_of(kind, cells, facts, reference)
        return self._made[key]

    def figure(self, path: str, window: Window) -> Figure:
        """One figure by its path, whose first name is the kind.

        Raises: KeyError: the path leads nowhere, or to what is no figure.
        """
        kind = path.partition(".")[0]
        return figure_at({kind: self.report(kind, window)}, path)
