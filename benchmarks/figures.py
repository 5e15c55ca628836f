"""A measured figure, its target, and the line that shows both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` in ``unit``; the target is a floor, or a ceiling where lower is better."""

    name: str
    value: float
    target: float
    unit: str
    lower_is_better: bool = False

    @property
    def met(self) -> bool:
        return self.value <= self.target if self.lower_is_better else self.value >= self.target

    @property
    def line(self) -> str:
        state = "ok" if self.met else "SHORT"
        return f"{self.name} ratio {_short(self.value)} target {_short(self.target)} {state}"

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "figure": self.value,
            "target": self.target,
            "unit": self.unit,
            "better": "lower" if self.lower_is_better else "higher",
            "met": self.met,
        }


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
