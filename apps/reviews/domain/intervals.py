"""The score interval of a share, which reviewers' figures and the reports rest on alike."""

from __future__ import annotations

from math import isinf, sqrt
from statistics import NormalDist
from typing import Final

LEVEL: Final = 0.95


def z_of(level: float) -> float:
    """The two-sided standard normal quantile.

    Parameters: ``level``, the coverage, in (0, 1); 0.95 gives 1.959964.
    Returns: z > 0. Errors: ValueError outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level} is not a coverage between 0 and 1")
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(successes: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """The score interval of a share.

    Definition: the values p for which |successes/n - p| <= z sqrt(p (1 - p) / n).
    Parameters: ``successes``, 0 to n; ``n``, the number of trials, which may be fractional (an
    effective number) or infinite; ``level``, the coverage.
    Returns: (low, high), 0 <= low <= successes/n <= high <= 1; exactly 0 without a success and
    exactly 1 without a failure. For n = 0 nothing is known: (0, 1).
    Errors: ValueError for successes outside 0..n, for an infinite n, which has no share.
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    if isinf(n) or not 0 <= successes <= n:
        raise ValueError(f"successes={successes}, n={n}: 0 <= successes <= n is needed, n finite")
    return wilson_of_share(successes / n, n, level) if n else (0.0, 1.0)


def wilson_of_share(share: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """The score interval of a share that was found otherwise than by counting.

    Definition: as ``wilson``, with ``n`` the effective number of trials.
    Parameters: ``share`` in [0, 1]; ``n`` > 0, infinite for a share that is known exactly.
    Returns: (low, high) within [0, 1] around the share.
    """
    if isinf(n):
        return share, share
    z2 = z_of(level) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if share <= 0 else max(0.0, min(share, middle - half))
    high = 1.0 if share >= 1 else min(1.0, max(share, middle + half))
    return low, high
