"""How well confidence ranks: errors among the most confident, at every share of automation."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

Ints = npt.NDArray[np.int64]

NO_CASES: Final = "no decision has a confidence and a known outcome"


class RiskCoverage(NamedTuple):
    """``aurc``, ``e_aurc`` and ``augrc``, None without a case, of ``n`` cases."""

    aurc: float | None
    e_aurc: float | None
    augrc: float | None
    n: int
    why: str | None = None


def risk_coverage(n: Ints, errors: Ints) -> RiskCoverage:
    """The areas under the risk-coverage curves.

    Definition: with r(k) the share of errors among the k most confident, AURC = mean over k of
    r(k); E-AURC is AURC less its value if all errors came last; AUGRC = mean over k of (errors
    among the k most confident) / n. Equal confidences are taken in the mean over their orders:
    errors spread evenly, so that the order of the rows does not matter. Neutral value: for AURC
    the error rate (a confidence that says nothing), for E-AURC 0; lower is better.
    Parameters: ``n`` and ``errors``, shape (L,), 0 <= errors <= n, by level of confidence,
    ascending.
    Returns: RiskCoverage. Null, and why, without a case.
    Source: Y. Geifman et al., ICLR 2019 (AURC, E-AURC); J. Traub et al., NeurIPS 2024 (AUGRC).
    """
    kept = n > 0
    size, wrong = n[kept][::-1].astype(float), errors[kept][::-1].astype(float)
    total = float(size.sum())
    if not total:
        return RiskCoverage(None, None, None, 0, f"not enough data (n = 0): {NO_CASES}")
    area = _area(size, wrong)
    bad = float(wrong.sum())
    parts = [(total - bad, 0.0), (bad, bad)]
    ideal = np.array([part for part in parts if part[0]])
    least = _area(ideal[:, 0], ideal[:, 1])
    before = np.cumsum(wrong) - wrong
    among = float((before * size + wrong * (size + 1) / 2).sum())
    return RiskCoverage(area / total, (area - least) / total, among / total**2, int(total))


def _area(size: npt.NDArray[np.float64], wrong: npt.NDArray[np.float64]) -> float:
    """The sum of r(k) over all k: within a block of b after K cases with E errors,
    sum over j of (E + e j / b) / (K + j) = (E - e K / b)(H(K + b) - H(K)) + e."""
    after, bad = np.cumsum(size), np.cumsum(wrong)
    before, earlier = after - size, bad - wrong
    harmonic = special.digamma(after + 1) - special.digamma(before + 1)
    return float(((earlier - wrong * before / size) * harmonic + wrong).sum())
