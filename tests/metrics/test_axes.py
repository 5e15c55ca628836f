"""Tables along an axis: as runs and as rows they hold the same, and days add up either way."""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.metrics.domain.axes import Runs, along, each_alone, rows_of, runs_of, summed
from apps.metrics.domain.packing import FIRST_MAGIC, pack, runs_in, unpack
from apps.metrics.domain.tables import Table, collapse, groups_of, labels, table_of

ROW = st.tuples(
    st.sampled_from([None, "a", "b"]),
    st.integers(-1, 1),
    st.integers(-1, 40),
    st.integers(1, 300),
    st.sampled_from([0.0, 0.0, 0.0, 1.5, -2.0]),
)
ROWS = st.lists(ROW, max_size=40)


def table(rows: list[Any]) -> Table:
    """One row for each text, right and cell: counts added up, the first sum kept."""
    kept: dict[Any, list[Any]] = {}
    for name, right, cell, n, total in rows:
        held = kept.setdefault((name, right, cell), [0, total])
        held[0] += n
    keys, sums = list(kept), list(kept.values())
    return table_of(
        {"name": [key[0] for key in keys]},
        {
            "right": [key[1] for key in keys],
            "cell": [key[2] for key in keys],
            "n": [one[0] for one in sums],
        },
        {"total": [one[1] for one in sums]},
    )


def held(one: Table) -> Counter[Any]:
    columns = [one.numbers[name].tolist() for name in ("right", "cell", "n", "total")]
    return Counter(zip(labels(one, "name"), *columns, strict=True))


@settings(deadline=None)
@given(ROWS)
def test_packed_along_its_axis_a_table_is_the_same(rows: list[Any]) -> None:
    packed = pack({"x": table(rows)}, {"x": "cell"})
    back = unpack(packed)["x"]
    assert held(back) == held(table(rows))
    assert {name: one.dtype for name, one in back.numbers.items()} == {
        name: one.dtype for name, one in table(rows).numbers.items()
    }
    assert pack({"x": back}, {"x": "cell"}) == packed


@settings(deadline=None)
@given(ROWS, st.randoms())
def test_the_order_of_the_rows_makes_no_difference(rows: list[Any], draw: Any) -> None:
    kept = {row[:3]: row for row in rows}
    mixed = list(kept.values())
    draw.shuffle(mixed)
    first = pack({"x": table(list(kept.values()))}, {"x": "cell"})
    assert pack({"x": table(mixed)}, {"x": "cell"}) == first


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4), st.sampled_from([1, 10**9]))
def test_days_add_up_along_their_axis_without_being_written_out(days: Any, apart: int) -> None:
    """As counted row by row, whether a day is packed as runs or as rows, near or far apart."""
    plain: Counter[Any] = Counter()
    parts = []
    for rows in days:
        one = table([(name, right, cell * apart, n, 0.0) for name, right, cell, n, _sum in rows])
        counted = Table(one.texts, {n: one.ints(n) for n in ("right", "cell", "n")}, one.length)
        read = runs_in(unpack(pack({"x": counted}, {"x": "cell"})), "x")
        parts.append(read if isinstance(read, Runs) else each_alone(read, "cell"))
        for name, right, cell, n, _sum in rows:
            plain[name, right, cell * apart] += n
    found = summed(parts, "cell")
    columns = [found.ints(name).tolist() for name in ("right", "cell", "n")]
    rows = list(zip(labels(found, "name"), *columns, strict=True))
    assert {row[:3]: row[3] for row in rows} == plain
    assert len(rows) == len(plain)


def test_a_run_begins_where_anything_but_the_axis_changes() -> None:
    one = table(
        [("a", 1, 3, 5, 0.0), ("a", 1, 5, 2, 0.0), ("a", 0, 4, 7, 0.0), ("b", 1, -1, 1, 0.0)]
    )
    runs = runs_of(along(one, "cell"), "cell")
    assert runs is not None
    # (a, 0): 7 at 4; (a, 1): 5 at 3, none at 4, 2 at 5; (b, 1): 1 at -1
    assert runs.counts.tolist() == [7, 5, 0, 2, 1]
    assert runs.heads.ints("low").tolist() == [4, 3, -1]
    assert runs.heads.ints("span").tolist() == [1, 3, 1]
    assert rows_of(runs, "cell").ints("cell").tolist() == [4, 3, 5, -1]


def test_few_rows_far_apart_stay_rows() -> None:
    far = table([("a", 1, 0, 1, 0.0), ("a", 1, 40, 1, 0.0)])
    assert runs_of(along(far, "cell"), "cell") is None
    near = table([("a", 1, 0, 1, 0.0), ("a", 1, 15, 1, 0.0)])
    assert runs_of(along(near, "cell"), "cell") is not None  # 16 places for two rows


def test_two_rows_at_one_place_stay_rows() -> None:
    twice = table_of({}, {"cell": [1, 1, 2], "n": [1, 1, 1]})
    assert runs_of(along(twice, "cell"), "cell") is None
    assert len(unpack(pack({"x": twice}, {"x": "cell"}))["x"]) == 3


def test_a_full_histogram_takes_a_byte_a_cell_at_most() -> None:
    draw = np.random.default_rng(4)
    counts = draw.poisson(3, 4_096) + 1
    one = table_of({}, {"cell": np.arange(4_096), "n": counts}, {"total": np.zeros(4_096)})
    assert len(pack({"x": one}, {"x": "cell"})) < 4_096 < len(pack({"x": one}))


def test_reading_one_table_leaves_the_others_unread() -> None:
    good = pack({"a": table_of({"t": ["x"]}), "b": table_of({"t": ["y"]})})
    broken = good[:-3] + b"...."[:3]
    tables = unpack(broken)
    assert labels(tables["a"], "t") == ["x"]
    assert ("b" in tables, "c" in tables, len(tables)) == (True, False, 2)
    with pytest.raises(ValueError, match="'b' cannot be read"):
        tables["b"]


def test_cells_of_the_first_form_are_read() -> None:
    """As they were written before: all tables in one stream."""
    heads = {"x": {"rows": 2, "columns": [["text", "t", "|i1", ["a"]], ["number", "n", "<i2"]]}}
    head = json.dumps(heads).encode()
    body = np.array([0, -1], "i1").tobytes() + np.array([300, 7], "<i2").tobytes()
    data = FIRST_MAGIC + zlib.compress(struct.pack("<I", len(head)) + head + body)
    found = unpack(data)["x"]
    assert (labels(found, "t"), found.ints("n").tolist()) == (["a", None], [300, 7])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-5, 2**40)), min_size=1, max_size=60))
def test_rows_are_put_together_the_same_way_with_and_without_sorting(rows: list[Any]) -> None:
    small, large = zip(*rows, strict=True)
    one = table_of({}, {"small": small, "large": large, "n": [1] * len(rows)})
    for by in (["small"], ["large", "small"]):
        first, group = groups_of(one, by)
        keys = list(zip(*(one.ints(name).tolist() for name in by), strict=True))
        assert [keys[at] for at in first.tolist()] == sorted(set(keys))
        assert [keys[first[at]] for at in group.tolist()] == keys
        assert all(keys.index(keys[at]) == at for at in first.tolist())
    found = collapse(one, ["small"], ["n"])
    assert dict(
        zip(found.ints("small").tolist(), found.ints("n").tolist(), strict=True)
    ) == Counter(small)
