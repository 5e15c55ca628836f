"""Files as they come: CSV of many makes, JSON Lines and Parquet."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.errors import BadInput
from apps.decisions.domain.readers import open_reader
from apps.decisions.domain.readers.csv_reader import CsvReader
from apps.decisions.domain.readers.jsonl_reader import JsonLinesReader
from apps.decisions.domain.readers.parquet_reader import ParquetReader
from apps.decisions.domain.strict_json import parse_object


@pytest.fixture
def write(tmp_path):
    def write(content, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def rows_of(reader):
    rows = [(row.line, row.data) for row in reader]
    reader.close()
    return rows


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_table_reads_the_same_whatever_its_mark_delimiter_and_line_ends(
    write, mark, delimiter, end
):
    lines = [[b"id", b"name"], [b"1", b"Zo\xc3\xab"], [b"2", b""]]
    path = write(mark + end.join(delimiter.join(line) for line in lines))
    assert rows_of(CsvReader(path)) == [
        (2, {"id": "1", "name": "Zoë"}),
        (3, {"id": "2", "name": ""}),
    ]


def test_delimiters_and_line_ends_inside_quotes_belong_to_the_cell(write):
    path = write(b'"a;x;y";b\n"1\n2";"say ""hi"""\n3;4\n')
    reader = CsvReader(path)
    assert reader.columns == ("a;x;y", "b")
    assert rows_of(reader) == [
        (2, {"a;x;y": "1\n2", "b": 'say "hi"'}),
        (4, {"a;x;y": "3", "b": "4"}),
    ]


def test_a_table_of_one_column_needs_no_delimiter(write):
    assert rows_of(CsvReader(write(b"id\n7\n"))) == [(2, {"id": "7"})]


def test_a_row_with_too_few_or_too_many_cells_is_named_and_reading_goes_on(write):
    (short, long, good) = rows_of(CsvReader(write(b"a,b,c\n1,2\n1,2,3,4\n1,2,3\n")))
    assert (short[0], str(short[1])) == (2, "/: line 2 has 2 cells; the header names 3")
    assert (long[0], str(long[1])) == (3, "/: line 3 has 4 cells; the header names 3")
    assert good == (4, {"a": "1", "b": "2", "c": "3"})


def test_a_cell_that_is_not_utf8_is_named_with_its_line_and_reading_goes_on(write):
    bad, good = rows_of(CsvReader(write(b"a,b\n1,caf\xe9\n2,x\n")))
    assert bad[0] == 2
    assert "line 2" in str(bad[1])
    assert "'b'" in str(bad[1])
    assert "0xe9" in str(bad[1])
    assert good == (3, {"a": "2", "b": "x"})


def test_broken_quotes_are_named_with_their_line_and_reading_goes_on(write):
    bad, good = rows_of(CsvReader(write(b'a,b\n"1"x,2\n3,4\n')))
    assert isinstance(bad[1], BadInput)
    assert "line 2" in str(bad[1])
    assert good == (3, {"a": "3", "b": "4"})


def test_a_quote_that_is_never_closed_ends_the_reading_with_the_line_it_began_on(write):
    path = write(b'a,b\n1,2\n"3,4\n' + b"5,6\n" * 1_000)
    reader = CsvReader(path, max_row_chars=100)
    rows = iter(reader)
    assert next(rows).line == 2
    with pytest.raises(BadInput, match="begins on line 3"):
        next(rows)
    reader.close()


def test_a_quote_that_the_end_of_the_file_leaves_open_is_a_fault_of_its_row(write):
    _, (line, fault) = rows_of(CsvReader(write(b'a,b\n1,2\n"3,4\n')))
    assert line == 3
    assert isinstance(fault, BadInput)


def test_empty_lines_are_skipped_and_counted(write):
    assert rows_of(CsvReader(write(b"\n\na\n\n1\n\n"))) == [(5, {"a": "1"})]


def test_a_large_cell_is_read(write):
    text = b"x" * 500_000
    assert rows_of(CsvReader(write(b"a,b\n1," + text)))[0][1]["b"] == text.decode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "file is empty"),
        (b"\n\n", "file is empty"),
        (b"a,b,a\n", "column 'a' twice"),
        (b"a,,c\n", "column 2 of the header has no name"),
        (b"a,b\xff\n", "line 1: the name of column 2 is not UTF-8"),
        (b'"a"x,b\n', "header cannot be read"),
        ("a,b\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_table_without_a_clear_header_is_refused(write, content, said):
    with pytest.raises(BadInput, match=said):
        CsvReader(write(content))


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=5), st.sampled_from(",;\t"))
def test_what_the_standard_writer_writes_is_read_back_the_same(tmp_path_factory, table, delimiter):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b"], *table])
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(text.getvalue().encode())
    assert [data for _, data in rows_of(CsvReader(path))] == [
        {"a": first, "b": second} for first, second in table
    ]


@given(st.binary(max_size=60))
def test_any_bytes_are_rows_or_bad_input_and_nothing_else(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    for name in ("t.csv", "t.jsonl"):
        path = folder / name
        path.write_bytes(content)
        try:
            rows = rows_of(open_reader(path))
        except BadInput as refusal:
            assert refusal.errors
        else:
            lines = [line for line, _ in rows]
            assert lines == sorted(set(lines))


def test_json_lines_are_numbered_and_empty_ones_counted(write):
    path = write(b'\xef\xbb\xbf{"a": 1}\r\n\r\n  \n{"a": 2}\n{"a": ', "rows.jsonl")
    rows = rows_of(JsonLinesReader(path))
    assert rows == [(1, b'{"a": 1}'), (4, b'{"a": 2}'), (5, b'{"a": ')]
    with pytest.raises(BadInput, match="cut off"):
        parse_object(rows[-1][1])


def test_a_last_line_without_an_end_is_read(write):
    assert rows_of(JsonLinesReader(write(b"{}\n{}", "a.jsonl"))) == [(1, b"{}"), (2, b"{}")]


@pytest.mark.parametrize("length", [10, 11, 12, 13, 14, 200_000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_over_the_limit_is_a_fault_and_reading_goes_on(write, length, end):
    path = write(b"x" * length + end + b"{}" + end, "a.jsonl")
    first, second = rows_of(JsonLinesReader(path, max_line_bytes=10))
    assert isinstance(first[1], BadInput) == (length > 10)
    assert first[0] == 1
    assert second == (2, b"{}")


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_reading_goes_on_from_a_line(write, name):
    content = {"rows.csv": b"a\n1\n2\n3\n", "rows.jsonl": b'{"a":0}\n{"a":1}\n{"a":2}\n{"a":3}\n'}
    whole = rows_of(open_reader(write(content[name], name)))
    resumed = rows_of(open_reader(write(content[name], name), resume_from=3))
    assert [line for line, _ in resumed] == [3, 4]
    assert resumed == whole[-2:]


def test_progress_ends_at_the_size_of_the_file(write):
    for name, content in (("rows.csv", b"a\n1\n2\n"), ("rows.jsonl", b"{}\n{}\n")):
        reader = open_reader(write(content, name))
        assert len(list(reader)) == 2
        assert reader.progress == (2, len(content), len(content), "bytes")
        reader.close()


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_file_of_megabytes_is_read_in_little_memory(write, name):
    line = b'{"a": "' + b"x" * 90 + b'"}\n' if name == "rows.jsonl" else b"1," + b"x" * 90 + b"\n"
    path = write(b"a,b\n" + line * 50_000, name)
    reader = open_reader(path)
    tracemalloc.start()
    count = sum(1 for _ in reader)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    reader.close()
    assert count >= 50_000
    assert peak < 1_000_000  # of 4.6 MB


@pytest.fixture
def table(tmp_path):
    def table(**columns):
        path = tmp_path / "rows.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=3)
        return path

    return table


def test_parquet_cells_become_plain_values(table):
    path = table(
        n=[1, None],
        f=[0.5, float("nan")],
        t=["x", None],
        b=[True, False],
        d=[date(2026, 1, 2), None],
        m=[Decimal("12.50"), None],
        z=pa.array([datetime(2026, 1, 2, 3, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
    )
    first, second = rows_of(ParquetReader(path))
    assert first == (
        1,
        {
            "n": 1,
            "f": 0.5,
            "t": "x",
            "b": True,
            "d": "2026-01-02",
            "m": "12.50",
            "z": "2026-01-02T03:00:00+00:00",
        },
    )
    assert second[1] == dict.fromkeys("nftdmz") | {"b": False}


@pytest.mark.parametrize("nested", [[[1], [2]], [{"x": 1}, {"x": 2}]])
def test_a_nested_parquet_column_is_refused_by_name(table, nested):
    path = table(a=[1, 2], inner=nested)
    with pytest.raises(BadInput, match="'inner' is nested"):
        ParquetReader(path)
    assert rows_of(ParquetReader(path, columns=["a"])) == [(1, {"a": 1}), (2, {"a": 2})]
    chosen = rows_of(ParquetReader(path, columns=["inner"]))
    assert [data["inner"] for _, data in chosen] == nested


def test_a_parquet_column_of_bytes_or_one_that_is_not_there_is_refused_by_name(table):
    with pytest.raises(BadInput, match="'raw' holds bytes"):
        ParquetReader(table(raw=[b"x"]))
    with pytest.raises(BadInput, match="no column 'b'"):
        ParquetReader(table(a=[1]), columns=["b"])


def test_parquet_is_resumed_at_a_row_and_counts_rows(table):
    reader = ParquetReader(table(a=list(range(10))), resume_from=6, batch_rows=2)
    rows = [(row.line, row.data["a"]) for row in reader]
    assert rows == [(6, 5), (7, 6), (8, 7), (9, 8), (10, 9)]
    assert reader.progress == (5, 10, 10, "rows")
    reader.close()


def test_a_file_that_only_bears_the_name_of_parquet_is_refused(write):
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        open_reader(write(b"a,b\n1,2\n", "rows.parquet"))


def test_an_ending_that_is_not_known_is_refused_with_the_known_ones(write):
    with pytest.raises(BadInput, match=r"rows\.xls.*\.csv"):
        open_reader(write(b"", "rows.xls"))
