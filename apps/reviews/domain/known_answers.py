"""Cases whose answer is known: when one is mixed in, and what they say of a reviewer."""

from __future__ import annotations

from typing import NamedTuple

from apps.policies.domain.sampling import draw
from apps.reviews.domain.intervals import wilson


class Standing(NamedTuple):
    """A reviewer's accuracy on known answers.

    ``value``: the share right, None without a case; ``low``, ``high``: its 95 % interval; ``n``:
    the known answers given; ``below``: surely under the floor.
    """

    value: float | None
    low: float
    high: float
    n: int
    below: bool


def due(
    key: bytes,
    reviewer: str,
    nth: int,
    rate: float,
    *,
    first_cases: int = 20,
    first_factor: float = 2.0,
) -> bool:
    """Whether a reviewer's nth claim is answered with a known case.

    Definition: u = HMAC-SHA256(key, "known:nth:reviewer") / 2^256 is below the rate, which is
    ``first_factor`` times as high, at most 1, for a reviewer's first cases. The reviewer cannot
    foresee the draw; whoever holds the key can repeat it; a higher rate keeps every case of a
    lower one.
    Parameters: ``key``, the secret; ``reviewer``, an id; ``nth`` >= 1, counted over this
    reviewer's claims in the use case; ``rate`` in [0, 1]; ``first_cases`` >= 0; ``first_factor``
    >= 0. Returns: bool. Errors: ValueError naming the number out of range.
    """
    if nth < 1:
        raise ValueError(f"nth={nth}; claims are counted from 1")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate={rate}; 0 to 1 is allowed")
    if first_cases < 0 or first_factor < 0:
        raise ValueError(f"first_cases={first_cases}, first_factor={first_factor}; at least 0")
    share = min(1.0, rate * first_factor) if nth <= first_cases else rate
    return draw(key, f"known:{nth}:{reviewer}") < share


def standing(right: int, n: int, floor: float) -> Standing:
    """A reviewer's accuracy on known answers, and whether it is below the floor beyond doubt.

    Definition: right / n with its 95 % Wilson interval; below when the interval's upper end is
    under the floor, so that no one loses a qualification to noise.
    Parameters: ``right`` of ``n`` answers, 0 <= right <= n; ``floor`` in [0, 1]. Neutral value:
    none; higher is better.
    Returns: Standing; without an answer the value is None, the interval (0, 1), below False.
    Errors: ValueError for counts or a floor out of range.
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"floor={floor}; 0 to 1 is allowed")
    low, high = wilson(right, n)
    return Standing(right / n if n else None, low, high, n, n > 0 and high < floor)
