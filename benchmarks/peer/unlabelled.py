"""Accuracy without labels by nannyml's CBPE: ``python -m benchmarks.peer.unlabelled FOLDER``.

Runs in the peers' virtualenv, on the reference's rows with a true label and all rows of the window.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ |= {"NML_DISABLE_USAGE_LOGGING": "1"}
warnings.simplefilter("ignore")

import pandas as pd  # noqa: E402
from nannyml import CBPE  # noqa: E402

from benchmarks.peer.timing import timed  # noqa: E402

FEW = 5_000
FOUR = ("accuracy", "roc_auc", "f1", "precision")


def rows(folder: Path, name: str) -> pd.DataFrame:
    """Score, given and true label as the numbers that nannyml takes."""
    frame = pd.read_parquet(folder / f"{name}.parquet", columns=["score", "given", "true"])
    if name == "reference":
        frame = frame[frame["true"].notna()]
    given, true = ((frame[side] == "approve").astype(int) for side in ("given", "true"))
    found = pd.DataFrame({"score": frame["score"], "given": given})
    return found.assign(true=true) if name == "reference" else found


def estimated(
    reference: pd.DataFrame, current: pd.DataFrame, metrics: tuple[str, ...] = ("accuracy",)
) -> float:
    """The accuracy that it expects of all rows: its chunks' estimates, by their sizes."""
    made = CBPE(
        problem_type="classification_binary",
        y_pred_proba="score",
        y_pred="given",
        y_true="true",
        metrics=list(metrics),
    )
    shown = made.fit(reference).estimate(current).filter(period="analysis").to_df()
    sizes = shown[("chunk", "end_index")] - shown[("chunk", "start_index")] + 1
    return float((shown[("accuracy", "value")] * sizes).sum() / sizes.sum())


def main(folder: str) -> dict[str, Any]:
    reference, current = (rows(Path(folder), name) for name in ("reference", "current"))
    estimated(reference[:FEW], current[:FEW], FOUR)
    value, seconds = timed(lambda: estimated(reference, current))
    _, of_four = timed(lambda: estimated(reference, current, FOUR))
    return {"value": value, "seconds": seconds, "seconds_of_four": of_four}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
