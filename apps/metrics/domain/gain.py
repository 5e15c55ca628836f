"""What people and AI together gain over the better of the two alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from apps.metrics.domain.estimates import Estimate, bounded_mean, not_enough, standing_for

PAIRED: Final = "paired_agresti_coull"


def team_gain(
    combined: Sequence[bool],
    hits: Sequence[int],
    sizes: Sequence[int],
    against: str | None,
    counts: Sequence[int] | None = None,
) -> Estimate:
    """The accuracy of what took effect, less that of one side alone on the same cases.

    Definition: G = C - S with C = mean(combined) and S = sum(hits) / sum(sizes), over the cases in
    which both are known. For its interval each case has the pseudo-value combined_i - S - (hits_i
    - S sizes_i) / mean(sizes), whose mean is G; for one answer a case it is the plain difference
    combined_i - hits_i. The interval is that of a mean within [-1, 1]. Neutral value: 0; above it
    the team is better.
    Parameters: ``combined``, shape (n,); ``hits`` of ``sizes`` answers of the side in each case,
    shape (n,), sizes >= 1 (the AI has one answer a case, people have several); ``against``, the
    side: "ai" or "human", None where neither is known; ``counts``, shape (n,): how many cases each
    entry stands for, one where it is not given.
    Returns: Estimate with ``against`` besides. Null for n = 0.
    Source: the paired difference with pseudo-observations after Agresti and Min, Stat. Med. 24
    (2005) 729; the ratio's linearization: Cochran, Sampling Techniques, ch. 6.
    """
    more = {"against": against}
    each = standing_for(counts, len(combined))
    n = int(each.sum())
    if n == 0:
        why = "no case has an outcome, a label in effect and an answer to compare it with"
        return not_enough(why, PAIRED, more=more)
    c, k, m = (np.asarray(column, dtype=float) for column in (combined, hits, sizes))
    alone = float(each @ k) / float(each @ m)
    pseudo = c - alone - (k - alone * m) / (float(each @ m) / n)
    value = float(each @ c) / n - alone
    low, high = bounded_mean(pseudo.tolist(), -1.0, 1.0, counts)
    return Estimate(value, low, high, n, PAIRED, more=more)
