"""Fairness of a frame's rows and of the stored ones, ours and by fairlearn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cells_data import SLUG
from benchmarks.figures_peers_frames import LABEL, frame_of
from benchmarks.peer.timing import middle, timed

GROUPS = ["group", "sex", "given", "true"]
BOOT_ROWS = 100_000
PEER_DRAWS = 10
DRAWS = 1_000


def group_cells_of(frame: pd.DataFrame) -> Any:
    """A frame's rows counted by group, sex, label given and true label; all are categories."""
    from apps.metrics.domain.groups import GroupCells

    columns = [frame[name].cat for name in GROUPS]
    labels = tuple(columns[2].categories.union(columns[3].categories))
    sizes = [len(one.categories) + 1 for one in columns]
    key = np.zeros(len(frame), dtype=np.int32)
    for one, size in zip(columns, sizes, strict=True):
        key = key * np.int32(size) + (one.codes.to_numpy() + np.int8(1))
    n = np.bincount(key, minlength=int(np.prod(sizes)))
    used = np.flatnonzero(n)
    codes = [code - 1 for code in np.unravel_index(used, sizes)]
    sides = [
        _recoded(one.categories, code, labels)
        for one, code in zip(columns[2:], codes[2:], strict=True)
    ]
    levels = tuple(tuple(one.categories) for one in columns[:2])
    return GroupCells(
        tuple(GROUPS[:2]), levels, np.column_stack(codes[:2]), labels, *sides, n[used]
    )


def _recoded(names: pd.Index, codes: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    places = np.array([*(labels.index(name) for name in names), -1])
    return places[codes]


def bias(folder: str) -> dict[str, Any]:
    """The bias report of a frame, and every figure of its MetricFrames, to be compared."""
    from apps.metrics.domain.bias import bias_report
    from apps.metrics.domain.groups import answered, group_by, subsets
    from apps.metrics.domain.metric_frame import metric_frame
    from benchmarks.peer.fairness import figures

    frame = frame_of(Path(folder), "current", GROUPS)
    report, seconds = middle(lambda: bias_report(group_cells_of(frame), LABEL, LABEL))
    cells = answered(group_cells_of(frame))
    found = {}
    for chosen in subsets(cells):
        grouping = group_by(cells, chosen)
        shown = figures([metric_frame(cells, grouping, LABEL, LABEL)])
        for rate in shown.values():
            rate["groups"] = {
                grouping.names[int(at)]: value for at, value in rate["groups"].items()
            }
        found[" & ".join(chosen)] = shown
    return {"seconds": seconds, "figures": found, "groups": _groups_of(report)}


def _groups_of(report: dict[str, Any]) -> dict[str, Any]:
    """Attributes -> rate -> group -> value, as the report states them."""
    from apps.metrics.domain.fairness import RATES

    return {
        name: {
            rate: {group: shown[rate]["value"] for group, shown in one["groups"].items()}
            for rate in RATES
        }
        for name, one in report.items()
    }


def bias_by_fairlearn(folder: str) -> dict[str, Any]:
    from benchmarks.peer.fairness import fairness

    frame = frame_of(Path(folder), "current", GROUPS)
    fairness(frame[:1000])
    found, seconds = timed(lambda: fairness(frame))
    return {"seconds": seconds, "figures": found}


def bootstrap(folder: str) -> dict[str, Any]:
    """Intervals of both attributes' groups, the cells counted and drawn 1,000 times."""
    from apps.metrics.domain.bootstrap import bootstrap_report
    from apps.metrics.domain.groups import answered, group_by

    frame = frame_of(Path(folder), "current", GROUPS)[:BOOT_ROWS]

    def work() -> Any:
        cells = answered(group_cells_of(frame))
        return bootstrap_report(cells, group_by(cells, GROUPS[:2]), LABEL, LABEL, DRAWS)

    report, seconds = middle(work)
    return {"seconds_a_draw": seconds / DRAWS, "rates": report["rates"]}


def bootstrap_by_fairlearn(folder: str) -> dict[str, Any]:
    """MetricFrame's own, less what it takes without."""
    from benchmarks.peer.fairness import metric_frames

    frame = frame_of(Path(folder), "current", GROUPS)[:BOOT_ROWS]
    drawn = {"n_boot": PEER_DRAWS, "ci_quantiles": [0.025, 0.975], "random_state": 1}
    once = timed(lambda: metric_frames(frame, GROUPS[:2]))[1]
    found, seconds = timed(lambda: metric_frames(frame, GROUPS[:2], **drawn))
    low, high = found[0].by_group_ci
    ends = {
        ", ".join(at): [float(low["selection_rate"][at]), float(high["selection_rate"][at])]
        for at in low.index
    }
    return {"seconds_a_draw": (seconds - once) / PEER_DRAWS, "selection_rate": ends}


# --- From PostgreSQL ------------------------------------------------------------------------


def bias_stored() -> dict[str, Any]:
    """From what PostgreSQL holds to the report of the AI's labels, by way of the cells."""
    from apps.metrics.cells.window import read_cells
    from apps.metrics.domain.bias import bias_report
    from apps.metrics.first_reading import Window
    from apps.metrics.kinds.bias import group_cells
    from apps.registry.models import UseCase

    def work() -> Any:
        use_case = UseCase.objects.get(pk=SLUG)
        cells = read_cells(use_case, Window(), ("outcome",), refresh=False)
        counted = group_cells(cells.table("outcome"), "given", tuple(use_case.labels))
        return bias_report(counted, LABEL, LABEL)

    report, seconds = middle(work)
    return {"seconds": seconds, "groups": _groups_of(report)}


def bias_by_orm() -> dict[str, Any]:
    """The rows by the ORM, as plain tuples, into a frame; then fairlearn."""
    from benchmarks.peer.fairness import fairness

    frame, loading = timed(frame_by_orm)
    found, seconds = timed(lambda: fairness(frame))
    groups = {
        name: {rate: one["groups"] for rate, one in shown.items()} for name, shown in found.items()
    }
    return {"seconds": loading + seconds, "loading": loading, "groups": groups}


def frame_by_orm() -> pd.DataFrame:
    from apps.decisions.models import Decision, Payload
    from apps.outcomes.models import Outcome

    rows = Decision.objects.filter(use_case=SLUG).order_by("pk").values_list("pk", "label")
    outcomes = Outcome.objects.filter(use_case=SLUG).order_by("pk")
    true = dict(outcomes.values_list("decision_id", "label").iterator())
    payloads = Payload.objects.filter(decision__in=rows.values("pk"))
    subjects = payloads.values_list("decision", "subject").iterator()
    people = {key: json.loads(text)["attributes"] for key, text in subjects}
    made = [
        (people[key]["group"], people[key]["sex"], given, true.get(key))
        for key, given in rows.iterator()
    ]
    return pd.DataFrame(made, columns=GROUPS).astype("category")
