"""Two shares side by side: their difference, their ratio, and whether chance alone explains it."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, inf, log, sqrt
from statistics import NormalDist
from typing import Any, Final, NamedTuple

from apps.metrics.domain.estimates import LEVEL, Estimate, not_enough, wilson, z_of

NEWCOMBE: Final = "newcombe"
KATZ: Final = "katz"
FISHER_UP_TO: Final = 10_000


class Part(NamedTuple):
    """A count within a total: ``k`` of ``n``, 0 <= k <= n."""

    k: int
    n: int

    @property
    def rate(self) -> float:
        """k / n, in [0, 1]; the caller sees to it that n > 0."""
        return self.k / self.n


def newcombe(one: Part, other: Part, level: float = LEVEL) -> tuple[float, float]:
    """The interval of a difference of two independent shares.

    Definition: with Wilson intervals (l, u) of both, d - sqrt((p1 - l1)^2 + (u2 - p2)^2) to
    d + sqrt((u1 - p1)^2 + (p2 - l2)^2), d = p1 - p2. Two equal shares give an interval around 0.
    Parameters: ``one`` and ``other``, n >= 1 each; ``level``, the coverage.
    Returns: (low, high) within [-1, 1], holding p1 - p2.
    Source: R. G. Newcombe, Stat. Med. 17 (1998) 873, method 10.
    """
    (l1, u1), (l2, u2) = wilson(*one, level), wilson(*other, level)
    p1, p2 = one.rate, other.rate
    low = p1 - p2 - sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2)
    high = p1 - p2 + sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)
    return max(-1.0, low), min(1.0, high)


def katz(one: Part, other: Part, level: float = LEVEL) -> tuple[float, float]:
    """The interval of a ratio of two independent shares.

    Definition: exp(ln(p1 / p2) +- z sqrt(1/k1 - 1/n1 + 1/k2 - 1/n2)). Where a count is 0 this says
    nothing; a half is then added to each k and n (Walter), and the end that is known for certain
    stays: 0 for k1 = 0, without bound for k2 = 0. Where both shares are 1, a half is added to each
    k and a whole to each n.
    Parameters: ``one`` (above) and ``other`` (below), n >= 1 each; ``level``, the coverage.
    Returns: (low, high), 0 <= low <= high; high can be infinite.
    Source: D. Katz et al., Biometrics 34 (1978) 469; S. D. Walter, Biometrika 62 (1975) 371.
    """
    certain = one.k == one.n and other.k == other.n
    half = 0.5 if certain or not (one.k and other.k) else 0.0
    more = 1.0 if certain else half
    k1, n1, k2, n2 = one.k + half, one.n + more, other.k + half, other.n + more
    centre = log(k1 / n1) - log(k2 / n2)
    spread = z_of(level) * sqrt(max(0.0, 1 / k1 - 1 / n1 + 1 / k2 - 1 / n2))
    low = exp(centre - spread) if one.k else 0.0
    return low, exp(centre + spread) if other.k else inf


def difference(
    one: Part, other: Part, level: float = LEVEL, more: Mapping[str, Any] | None = None
) -> Estimate:
    """How much larger one share is than another.

    Definition: p1 - p2 with Newcombe's interval. Neutral value: 0; direction is the caller's.
    Parameters: ``one``, ``other``; ``level``; ``more``, what the figure states besides.
    Returns: Estimate with n of both together. Null where either has no cases.
    """
    n = one.n + other.n
    if not (one.n and other.n):
        return not_enough("one of the two groups has no cases", NEWCOMBE, n=n, more=more)
    low, high = newcombe(one, other, level)
    return Estimate(one.rate - other.rate, low, high, n, NEWCOMBE, more=more or {})


class Significance(NamedTuple):
    """Whether chance alone explains two shares.

    ``z``: the pooled score; ``p_z`` and ``p_fisher``: two-sided p values, the latter None above
    10,000 cases; ``p``: the one to use (Fisher's where an expected count is below 5); ``test``: its
    name; ``n``: cases of both.
    """

    z: float
    p_z: float
    p_fisher: float | None
    p: float
    test: str
    n: int


def significance(one: Part, other: Part) -> Significance | None:
    """A two-sided test that two shares are the same.

    Definition: z = (p1 - p2) / sqrt(p (1 - p) (1/n1 + 1/n2)) with the pooled share p, two-sided
    normal p value; Fisher's exact test (sum of the tables at most as likely as the one seen), which
    decides where an expected count is below 5. Where all cases are alike z is 0 and p is 1.
    Parameters: ``one``, ``other``.
    Returns: Significance; None where either has no cases.
    Source: UGESP Questions and Answers 18 to 22; R. A. Fisher, J. R. Stat. Soc. 98 (1935) 39.
    """
    n = one.n + other.n
    if not (one.n and other.n):
        return None
    pooled = (one.k + other.k) / n
    error = sqrt(pooled * (1 - pooled) * (1 / one.n + 1 / other.n))
    z = (one.rate - other.rate) / error if error else 0.0
    p_z = 2 * NormalDist().cdf(-abs(z))
    p_fisher = fisher(one, other) if n <= FISHER_UP_TO else None
    exact = p_fisher is not None and min(one.n, other.n) * min(pooled, 1 - pooled) < 5
    p = p_fisher if exact and p_fisher is not None else p_z
    return Significance(z, p_z, p_fisher, p, "fisher" if exact else "z", n)


def fisher(one: Part, other: Part) -> float:
    """Fisher's exact two-sided p value of a table of two shares.

    Definition: the sum of the hypergeometric chances of all tables with the same margins that are
    at most as likely as the one seen.
    Parameters: ``one``, ``other``, n >= 1 each.
    Returns: p in [0, 1].
    """
    from scipy import stats  # a second to load, in every process, for what few ask

    table = [[one.k, one.n - one.k], [other.k, other.n - other.k]]
    return float(stats.fisher_exact(table).pvalue)
