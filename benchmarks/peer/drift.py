"""Drift by evidently and nannyml, on frames: ``python -m benchmarks.peer.drift FOLDER NAME``.

Runs in the peers' virtualenv. Each is called once on a few rows before the clock starts, so that
imports and first uses do not count.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ |= {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
warnings.simplefilter("ignore")  # both use what pandas and numpy have deprecated

import pandas as pd  # noqa: E402

from benchmarks.peer.timing import timed  # noqa: E402

FEW = 2_000
NOT_FEATURES = ("sex", "group", "given", "true", "score", "confidence")


def evidently(reference: pd.DataFrame, current: pd.DataFrame) -> int:
    """The data-drift preset as it comes. Returns: how many columns it looked at."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    done = Report([DataDriftPreset()]).run(current_data=current, reference_data=reference)
    return sum("ValueDrift" in str(one) for one in done.dict()["metrics"])


def nannyml(reference: pd.DataFrame, current: pd.DataFrame) -> int:
    """The univariate calculator as it comes. Returns: how many columns it looked at."""
    from nannyml import UnivariateDriftCalculator

    made = UnivariateDriftCalculator(column_names=list(reference.columns))
    found = made.fit(reference).calculate(current)
    return len(set(found.to_df().columns.get_level_values(0)) - {"chunk"})


PEERS = {"evidently": evidently, "nannyml": nannyml}


def frames(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    both = [pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "current")]
    reference, current = (one.drop(columns=list(NOT_FEATURES)) for one in both)
    return reference, current


def main(folder: str, name: str) -> dict[str, Any]:
    reference, current = frames(Path(folder))
    PEERS[name](reference[:FEW], current[:FEW])
    columns, seconds = timed(lambda: PEERS[name](reference, current))
    return {"columns": columns, "seconds": seconds, "rows": [len(reference), len(current)]}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
