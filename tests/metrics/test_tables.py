"""Tables of cells: joined, added up, and packed to the same bytes for the same content."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrics.domain.packing import pack, unpack
from apps.metrics.domain.tables import (
    Table,
    Text,
    codes_by,
    collapse,
    concat,
    empty_table,
    labels,
    ordered,
    table_from,
    table_of,
    text_of,
    where,
)

TEXT = st.sampled_from([None, "a", "b", "c", "é\n"])
LARGE = 2**62
ROWS = st.lists(
    st.tuples(
        TEXT,
        TEXT,
        st.integers(-1, 2),
        st.integers(-LARGE, LARGE),
        st.sampled_from([0.0, 0.25, float("nan"), -1.5]),
    ),
    max_size=30,
)


def table(rows: list[Any]) -> Table:
    one, two, small, large, share = zip(*rows, strict=True) if rows else ((),) * 5
    return table_of({"one": one, "two": two}, {"small": small, "large": large}, {"share": share})


def rows_of(held: Table) -> Counter[str]:
    """Its rows, as texts, since nan is not equal to itself."""
    columns = [labels(held, name) for name in ("one", "two")]
    columns += [held.numbers[name].tolist() for name in ("small", "large", "share")]
    return Counter(map(repr, zip(*columns, strict=True)))


@given(ROWS)
def test_a_table_holds_the_rows_it_was_made_of(rows: list[Any]) -> None:
    assert rows_of(table(rows)) == Counter(map(repr, rows))
    assert len(table(rows)) == len(rows)


@given(ROWS)
def test_packed_it_is_the_same_table(rows: list[Any]) -> None:
    held = table(rows)
    back = unpack(pack({"held": held}))["held"]
    assert rows_of(back) == rows_of(held)
    assert pack({"held": back}) == pack({"held": held})
    assert {name: column.dtype for name, column in back.numbers.items()} == {
        "small": np.int64,
        "large": np.int64,
        "share": np.float64,
    }


@given(ROWS, st.randoms())
def test_the_same_rows_in_any_order_give_the_same_bytes(rows: list[Any], draw: Any) -> None:
    mixed = list(rows)
    draw.shuffle(mixed)
    assert pack({"x": table(mixed)}) == pack({"x": table(rows)})


def test_names_that_no_row_uses_and_their_order_make_no_difference() -> None:
    codes = np.array([2, 0], dtype=np.int64)
    one = table_from({"t": Text(codes, ("b", "unused", "a"))}, {})
    assert pack({"x": one}) == pack({"x": table_of({"t": ["a", "b"]})})


def test_a_negative_zero_is_packed_as_zero() -> None:
    assert pack({"x": table_of({}, {}, {"f": [-0.0]})}) == pack(
        {"x": table_of({}, {}, {"f": [0.0]})}
    )


def test_whole_numbers_take_the_smallest_width_that_holds_them() -> None:
    draw = np.random.default_rng(1)
    sizes = [
        len(pack({"x": table_of({}, {"n": draw.integers(-top, top, 4_000)})}))
        for top in (100, 30_000, 2**31 - 1, 2**60)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 4_200


@given(ROWS, ROWS)
def test_joined_tables_hold_the_rows_of_both(first: list[Any], second: list[Any]) -> None:
    both = concat([table(first), table(second)])
    assert rows_of(both) == rows_of(table(first)) + rows_of(table(second))
    assert list(both.texts["one"].names) == sorted(both.texts["one"].names)


def test_nothing_can_be_joined_only_with_its_columns() -> None:
    with pytest.raises(ValueError, match="names of its columns"):
        concat([])
    nothing = concat([empty_table(["t"], ["n"], ["f"])])
    assert (len(nothing), sorted(nothing.texts), sorted(nothing.numbers)) == (0, ["t"], ["f", "n"])
    assert nothing.ints("n").dtype == np.int64


def test_tables_of_other_columns_are_not_joined() -> None:
    with pytest.raises(ValueError, match=r"\['b'\]"):
        concat([table_of({"a": ["x"]}), table_of({"a": ["x"], "b": ["y"]})])


@given(ROWS)
def test_rows_that_are_alike_are_added_up(rows: list[Any]) -> None:
    counted = [(*row[:3], 1, row[4]) for row in rows]
    found = collapse(table(counted), ["one", "small", "share"], ["large"])
    wanted: Counter[str] = Counter(repr((row[0], row[2], row[4])) for row in rows)
    keys = zip(
        labels(found, "one"),
        found.ints("small").tolist(),
        found.floats("share").tolist(),
        strict=True,
    )
    got = {repr(key): n for key, n in zip(keys, found.ints("large").tolist(), strict=True)}
    assert got == dict(wanted)
    assert len(got) == len(found)


def test_more_keys_than_fit_a_number_are_told_apart() -> None:
    n = 3_000
    draw = np.random.default_rng(2)
    columns = {f"c{i}": draw.integers(0, LARGE, n) for i in range(8)}
    found = collapse(
        table_of({}, {**columns, "n": np.ones(n, dtype=np.int64)}), list(columns), ["n"]
    )
    assert len(found) == n


def test_floats_are_added_in_the_order_of_the_rows() -> None:
    held = table_from({"t": text_of(["a"] * 3)}, {"f": np.array([1e16, 1.0, -1e16])})
    assert collapse(held, ["t"], ["f"]).floats("f").tolist() == [0.0]


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="'x'"):
        collapse(table([]), ["x"], [])
    with pytest.raises(ValueError, match="'x'.*'large'"):
        table([]).ints("x")
    with pytest.raises(ValueError, match="float64"):
        table([]).ints("share")


def test_columns_of_different_length_or_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        table_of({"a": ["x"]}, {"n": [1, 2]})
    with pytest.raises(ValueError, match="same name"):
        table_of({"a": ["x"]}, {"a": [1]})


def test_rows_are_chosen_by_a_mask_or_by_numbers() -> None:
    held = table_of({"t": ["a", "b", "c"]}, {"n": [1, 2, 3]})
    assert labels(where(held, held.ints("n") > 1), "t") == ["b", "c"]
    assert labels(where(held, np.array([2, 0])), "t") == ["c", "a"]


def test_codes_are_read_into_a_list_of_one_s_own() -> None:
    held = table_of({"t": ["a", None, "b", "gone"]}, {"at": [0, 1, 2, 3]})
    by_row = dict(zip(held.ints("at").tolist(), codes_by(held, "t", ["b", "a"]), strict=True))
    assert by_row == {0: 1, 1: -1, 2: 0, 3: -1}


def test_sorted_rows_stay_as_they_are() -> None:
    held = table([("a", None, 1, 2, 0.0), ("b", "a", 0, 1, 0.25)])
    assert rows_of(ordered(held)) == rows_of(held)


@pytest.mark.parametrize("data", [b"", b"cells 1\n", b"cells 1\nxx", b"something else"])
def test_bytes_that_are_no_cells_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="packed cells"):
        unpack(data)


def test_cut_off_cells_are_refused() -> None:
    whole = pack({"x": table_of({"t": ["a"] * 100})})
    with pytest.raises(ValueError):
        unpack(whole[:-5])
