"""Fairlearn's MetricFrame, run on cells. Loaded where it is asked for: the libraries under it take a
second, which every process would pay for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fairlearn.metrics as fm
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score

from apps.metrics.domain.groups import UNKNOWN, GroupCells, Grouping


def metric_frame(
    cells: GroupCells, grouping: Grouping, favourable: str, positive: str
) -> fm.MetricFrame:
    """Fairlearn's MetricFrame of the cells.

    Definition: selection_rate is the share given ``favourable``; tpr, fpr and fnr take
    ``positive`` as the event and look at decisions with an outcome, as accuracy does. The counts
    are the sample weights, so that the result is that of the rows, to the bit.
    Parameters: ``cells`` with a label given; ``grouping`` of them; ``favourable``, ``positive``.
    Returns: MetricFrame over the groups; its rates without denominator are 0 (fairlearn) or nan.
    Source: fairlearn 0.15, fairlearn.metrics.MetricFrame.
    """
    kept = grouping.place != UNKNOWN
    code = {label: i for i, label in enumerate(cells.labels)}
    chosen, event = (code.get(label, UNKNOWN - 1) for label in (favourable, positive))
    metrics = {
        "selection_rate": _selection_of(chosen),
        "tpr": _rate_of(fm.true_positive_rate, event),
        "fpr": _rate_of(fm.false_positive_rate, event),
        "fnr": _rate_of(fm.false_negative_rate, event),
        "accuracy": _accuracy,
    }
    weights = {"sample_weight": cells.n[kept]}
    return fm.MetricFrame(
        metrics=metrics,
        y_true=cells.true[kept],
        y_pred=cells.given[kept],
        sensitive_features=pd.Series(grouping.place[kept], name="group"),
        sample_params=dict.fromkeys(metrics, weights),
    )


def _selection_of(chosen: int) -> Callable[..., float]:
    def selection(y_true: Any, y_pred: Any, sample_weight: Any) -> float:
        given = (np.asarray(y_pred) == chosen).astype(np.int64)
        return float(fm.selection_rate(given, given, sample_weight=np.asarray(sample_weight)))

    return selection


def _rate_of(rate: Callable[..., float], event: int) -> Callable[..., float]:
    def of_known(y_true: Any, y_pred: Any, sample_weight: Any) -> float:
        true, given, weight = map(np.asarray, (y_true, y_pred, sample_weight))
        known = true != UNKNOWN
        if not known.any():
            return float("nan")
        pair = ((side[known] == event).astype(np.int64) for side in (true, given))
        return float(rate(*pair, sample_weight=weight[known], pos_label=1))

    return of_known


def _accuracy(y_true: Any, y_pred: Any, sample_weight: Any) -> float:
    true, given, weight = map(np.asarray, (y_true, y_pred, sample_weight))
    known = true != UNKNOWN
    if not known.any():
        return float("nan")
    return float(accuracy_score(true[known], given[known], sample_weight=weight[known]))
