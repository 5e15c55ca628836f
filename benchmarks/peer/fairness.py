"""Fairness as a user of fairlearn gets it: MetricFrame on the rows.

A rate of true labels is of the rows that have one, the selection rate of all, so that there are
two frames for each set of attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fairlearn.metrics as fm
import pandas as pd
from sklearn.metrics import accuracy_score

ATTRIBUTES = (["group"], ["sex"], ["group", "sex"])
OF_TRUE = {
    "tpr": fm.true_positive_rate,
    "fpr": fm.false_positive_rate,
    "fnr": fm.false_negative_rate,
    "accuracy": accuracy_score,
}
OF_GIVEN = {"selection_rate": fm.selection_rate}


def metric_frames(frame: pd.DataFrame, by: Sequence[str], **more: Any) -> list[fm.MetricFrame]:
    """Of all rows the selection rate, of those with a true label the rest."""
    found = []
    for metrics, rows in ((OF_GIVEN, frame), (OF_TRUE, frame[frame["true"].notna()])):
        given, true = ((rows[side] == "approve").astype(int) for side in ("given", "true"))
        features = rows[list(by)]
        found.append(
            fm.MetricFrame(
                metrics=metrics, y_true=true, y_pred=given, sensitive_features=features, **more
            )
        )
    return found


def fairness(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Every rate of every group, overall, and its gaps and ratios, by attributes."""
    return {" & ".join(by): figures(metric_frames(frame, by)) for by in ATTRIBUTES}


def figures(frames: Sequence[fm.MetricFrame]) -> dict[str, Any]:
    """Rate -> what the frames say of it, as plain numbers."""
    found: dict[str, Any] = {}
    for frame in frames:
        sides = {
            "overall": frame.overall,
            "lowest": frame.group_min(),
            "highest": frame.group_max(),
            "difference": frame.difference(),
            "difference_to_overall": frame.difference(method="to_overall"),
            "ratio": frame.ratio(),
            "ratio_to_overall": frame.ratio(method="to_overall"),
        }
        for rate in frame.by_group.columns:
            groups = {_name(at): float(value) for at, value in frame.by_group[rate].items()}
            found[rate] = {name: float(side[rate]) for name, side in sides.items()}
            found[rate]["groups"] = groups
    return found


def _name(at: Any) -> str:
    return ", ".join(at) if isinstance(at, tuple) else str(at)
