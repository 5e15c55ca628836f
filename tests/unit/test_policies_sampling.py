from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.policies.domain.sampling import draw, draws
from tests.unit.policies_reference import draw as slow_draw


def test_the_draw_is_the_top_of_the_published_hmac():
    # RFC 4231, test case 2: key "Jefe"; the digest begins 5bdcc146bf60754e.
    digest = bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    expected = Fraction(int.from_bytes(digest[:8], "big") >> 11, 2**53)
    assert Fraction(draw(b"Jefe", "what do ya want for nothing?")) == expected


@given(st.binary(max_size=100), st.lists(st.text(st.characters(codec="utf-8"), max_size=20)))
def test_draws_agree_with_the_standard_library(seed, ids):
    assert list(map(Fraction, draws(seed, ids))) == [slow_draw(seed, one) for one in ids]


def test_an_id_that_is_no_text_is_refused():
    with pytest.raises(UnicodeEncodeError):
        draws(b"seed", ["\ud800"])


def test_the_share_of_draws_below_five_percent_is_within_the_binomial_interval():
    n, rate = 200_000, 0.05
    picked = int(
        np.count_nonzero(draws(b"seed of the share", (f"case-{k}" for k in range(n))) < rate)
    )
    # 99.9 % of a normal lies within 3.2905 standard deviations: 10,000 +- 321.
    half_width = 3.2905 * (n * rate * (1 - rate)) ** 0.5
    assert abs(picked - n * rate) < half_width
