"""Histograms on frozen edges: counted exactly, added exactly, packed and unpacked."""

from __future__ import annotations

from collections import Counter
from math import fsum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.metrics.domain.histograms import (
    ABOVE,
    BELOW,
    BLOCK,
    CELLS,
    HEADER,
    MISSING,
    WIDTH,
    CategoryEdges,
    NumberEdges,
    NumberHistogram,
    add_numbers,
    count_categories,
    count_numbers,
    fold_categories,
    freeze_category,
    freeze_number,
    pack,
    pack_counts,
    unpack,
    unpack_counts,
)

EDGES = NumberEdges(0.0, 4096.0)  # a cell for each whole number
values = st.lists(st.floats(-5000, 9000) | st.just(float("nan")), max_size=80)


def same(one: NumberHistogram, other: NumberHistogram) -> bool:
    tails = (one.below, one.above) == (other.below, other.above)
    return tails and np.array_equal(one.counts, other.counts)


def test_edges_are_the_extreme_quantiles_of_the_finite_values() -> None:
    x = np.append(np.arange(2001.0), [np.nan, np.inf, -np.inf])
    # 0.05 % of 2,000 steps is one step from either end
    edges = freeze_number(x)
    assert edges is not None
    assert (edges.low, edges.high) == pytest.approx((1.0, 1999.0))


def test_without_a_finite_value_there_are_no_edges() -> None:
    assert freeze_number(np.array([np.nan, np.inf])) is None
    assert freeze_number(np.array([])) is None


def test_each_value_falls_into_its_cell_a_tail_or_the_missing() -> None:
    x = np.array([-3.0, -1.0, 0.0, 0.99, 1.0, 4095.5, 4096.0, 4097.5, np.nan, np.inf, -np.inf])
    found = count_numbers(x, EDGES)
    assert found.counts[BELOW] == 2
    assert found.counts[1:3].tolist() == [2, 1]
    assert found.counts[CELLS] == 2  # the last cell holds its upper end
    assert found.counts[ABOVE] == 1
    assert found.counts[MISSING] == 3
    assert (found.below, found.above) == (-4.0, 4097.5)
    assert found.counts.sum() == len(x)


def test_values_far_out_fall_into_the_tails() -> None:
    found = count_numbers(np.array([-1e308, 1e308]), EDGES)
    assert (found.counts[BELOW], found.counts[ABOVE]) == (1, 1)


def test_one_value_alone_has_a_cell_and_both_tails() -> None:
    edges = freeze_number(np.full(50, 7.0))
    assert edges == NumberEdges(7.0, 7.0)
    found = count_numbers(np.array([7.0, 7.0, 6.0, 8.0, 9.0]), edges)
    assert (found.counts[1], found.counts[BELOW], found.counts[ABOVE]) == (2, 1, 2)
    assert set(edges.centres) == {7.0}


@settings(deadline=None)
@given(values, values)
def test_histograms_add_up_to_that_of_all_values(one: list[float], other: list[float]) -> None:
    parts = [count_numbers(np.array(part, dtype=float), EDGES) for part in (one, other)]
    whole = count_numbers(np.array(one + other, dtype=float), EDGES)
    added = add_numbers(parts)
    assert np.array_equal(added.counts, whole.counts)
    assert added.below == pytest.approx(whole.below)
    assert added.above == pytest.approx(whole.above)


@settings(deadline=None)
@given(values)
def test_the_order_of_the_rows_does_not_matter(x: list[float]) -> None:
    one = count_numbers(np.array(x, dtype=float), EDGES)
    assert pack(one) == pack(count_numbers(np.array(x[::-1], dtype=float), EDGES))


def test_no_histograms_add_up_to_none() -> None:
    assert same(add_numbers([]), NumberHistogram(np.zeros(WIDTH, dtype=np.int64)))


@settings(deadline=None)
@given(values)
def test_what_is_packed_is_found_again(x: list[float]) -> None:
    one = count_numbers(np.array(x, dtype=float), EDGES)
    assert same(unpack(pack(one)), one)


@pytest.mark.parametrize("largest", [1, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**62])
@pytest.mark.parametrize("filled", [3, WIDTH])
def test_counts_of_any_size_are_packed(largest: int, filled: int) -> None:
    counts = np.zeros(WIDTH, dtype=np.int64)
    counts[-filled:] = largest
    one = NumberHistogram(counts, -1.5, 2.5)
    packed = pack(one)
    assert same(unpack(packed), one)
    assert len(packed) <= HEADER.size + WIDTH * 8


def test_packed_bytes_are_those_of_the_first_version() -> None:
    # form 2 (places and counts), width 1 byte, 2 of them; sums of the tails; places 0 and 5
    counts = np.zeros(WIDTH, dtype=np.int64)
    counts[0], counts[5] = 3, 9
    packed = pack(NumberHistogram(counts, -2.0, 0.0))
    assert packed.hex() == "02000200000000000000000000c0" + "00" * 8 + "00000500" + "0309"


@pytest.mark.parametrize(
    ("packed", "what"),
    [
        (b"", "0 bytes are too few"),
        (b"\x09" + bytes(21), "not the header"),
        (HEADER.pack(1, 0, WIDTH, 0, 0) + b"\0", "do not hold"),
        (HEADER.pack(1, 0, 3, 0, 0) + b"\0\0\0", "do not hold"),
        (HEADER.pack(2, 0, 1, 0, 0) + b"\xff\xff\x01", "place 65535 lies outside"),
    ],
)
def test_bytes_that_are_no_histogram_are_refused(packed: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        unpack(packed)


# --- Categories -----------------------------------------------------------------------------


def test_levels_are_frozen_by_frequency_then_by_name() -> None:
    counts = Counter({"b": 5, "a": 5, "c": 9, "never": 0})
    assert freeze_category(counts) == CategoryEdges(("c", "a", "b"), complete=True)
    assert freeze_category(counts, limit=2) == CategoryEdges(("c", "a"), complete=False)
    assert freeze_category({}) == CategoryEdges((), complete=True)


def test_others_and_missing_are_counted_apart() -> None:
    edges = CategoryEdges(("x", "y"), complete=True)
    assert count_categories(["y", "x", "new", None, "y", "newer"], edges).tolist() == [1, 2, 2, 1]
    assert fold_categories({"y": 7, None: 2, "new": 3}, edges).tolist() == [0, 7, 3, 2]


def test_counts_are_packed_and_found_again() -> None:
    counts = np.array([0, 2**40, 7], dtype=np.int64)
    assert unpack_counts(pack_counts(counts)).tolist() == counts.tolist()
    assert pack_counts([1]) == b"\x01" + bytes(7)
    with pytest.raises(ValueError, match="5 bytes"):
        unpack_counts(b"12345")


def test_a_long_column_is_counted_as_its_parts_are() -> None:
    """More values than are counted at a time, some of them missing and some in the tails."""
    values = np.random.default_rng(5).standard_normal(2 * BLOCK + 7)
    edges = NumberEdges(-2.0, 2.0)
    values[[3, BLOCK, BLOCK + 1]] = [np.nan, np.inf, 2.0]
    whole = count_numbers(values, edges)
    parts = [count_numbers(part, edges) for part in np.array_split(values, 11)]
    assert whole.counts.tolist() == add_numbers(parts).counts.tolist()
    assert whole.counts[MISSING] == 2
    assert whole.counts[ABOVE] == (values[np.isfinite(values)] > 2).sum()
    known = values[values < -2]
    assert whole.below == fsum(known)
