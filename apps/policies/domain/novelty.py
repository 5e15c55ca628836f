"""Novelty: a decision unlike the reference, by a feature outside its range or an unseen level."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from apps.policies.domain.columns import BoolArray, Column, Columns, LevelColumn
from apps.policies.domain.schema import FieldType


@dataclass(frozen=True)
class ReferenceProfile:
    """What was seen in the reference window.

    `ranges`: feature name to (lowest, highest) value, both still familiar; `levels`: feature name
    to the levels seen. Names as declared, without a prefix.
    """

    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    levels: Mapping[str, frozenset[str]] = field(default_factory=dict)


def novel_features(profile: ReferenceProfile, columns: Columns) -> dict[str, BoolArray]:
    """Return, by feature, which rows are unlike the reference; a missing feature is not novel.

    Parameters: `profile`; `columns`, n decisions.
    Returns: feature name to a boolean array of shape (n,), in the profile's order.
    """
    found: dict[str, BoolArray] = {}
    for name, (low, high) in profile.ranges.items():
        column = _feature(columns, name, "number")
        found[name] = column.test("<", low) | column.test(">", high)
    for name, levels in profile.levels.items():
        found[name] = _feature(columns, name, "category").test("not_in", levels)
    return found


def _feature(columns: Columns, name: str, field_type: FieldType) -> Column:
    return columns.get((f"feature.{name}", field_type))


class NoveltyColumn(LevelColumn):
    """The condition field `novelty`; its value names the features that made a row novel."""

    def __init__(self, by_feature: dict[str, BoolArray], n: int) -> None:
        self.by_feature = by_feature
        novel = np.zeros(n, dtype=np.bool_)
        for rows in by_feature.values():
            novel |= rows
        super().__init__(novel.astype(np.int8), (False, True))

    def value(self, row: int) -> list[str]:
        return [name for name, rows in self.by_feature.items() if rows[row]]


def with_novelty(columns: Columns, profile: ReferenceProfile) -> Columns:
    """Return the same decisions with `novelty` judged against a reference profile."""
    by_feature = novel_features(profile, columns)
    return columns.having(("novelty", "boolean"), NoveltyColumn(by_feature, columns.n))
