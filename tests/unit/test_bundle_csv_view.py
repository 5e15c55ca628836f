"""The CSV view: RFC 4180, formulas neutralised, null told from empty text."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.exports.domain.csv_view import Scalar, neutralise, write_csv
from apps.exports.verifier import verify


def written(records: list[dict[str, Scalar]], columns: list[str]) -> tuple[str, int]:
    out = io.BytesIO()
    cells = write_csv(records, columns, out)
    return out.getvalue().decode(), cells


def test_values_are_written_by_kind_and_null_is_told_from_empty_text() -> None:
    record: dict[str, Scalar] = {"a": "x", "b": 7, "c": True, "d": False, "e": None, "f": ""}
    text, cells = written([record, {}], ["a", "b", "c", "d", "e", "f"])
    assert text == 'a,b,c,d,e,f\r\nx,7,true,false,,""\r\n,,,,,\r\n'
    assert cells == 0


def test_fields_are_quoted_only_where_rfc_4180_needs_it() -> None:
    text, _ = written([{"a": 'say "hi"', "b": "1,2", "c": "x\r\ny", "d": " a b "}], list("abcd"))
    assert text == 'a,b,c,d\r\n"say ""hi""","1,2","x\r\ny", a b \r\n'


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\0x"),
        *("\uff1d1", "\uff0b1", "\uff0d1", "\uff20x"),
        *("  =1", "\u00a0=1", " \u00a0 @x", "safe\n=1", "safe\r\n =1", "safe\r=1", "a\n\nb"),
    ],
)
def test_what_a_spreadsheet_might_run_is_neutralised_and_counted(text: str) -> None:
    assert neutralise(text) == f"'{text}"
    assert written([{"a": text}, {"a": "safe"}], ["a"])[1] == 1


@pytest.mark.parametrize("text", ["", "1-1", "a=b", "x@y", "two\r\nlines", "'=1", "\u2003=1"])
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert neutralise(text) == text


def test_negative_numbers_and_dangerous_headers_are_neutralised_too() -> None:
    assert written([{"=h": -5}], ["=h"]) == ("'=h\r\n'-5\r\n", 2)


def test_a_record_with_a_key_without_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="record 2 has keys without a column"):
        written([{"a": 1}, {"b": 1}], ["a"])


def test_a_column_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        written([], ["a", "a"])


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.lists(texts, min_size=2, max_size=2)))
def test_any_text_reads_back_with_its_neutralising_quote(rows: list[list[str]]) -> None:
    text, _ = written([{"a": row[0], "b": row[1]} for row in rows], ["a", "b"])
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert read[1:] == [[neutralise(cell) for cell in row] for row in rows]


@given(texts)
def test_the_verifier_knows_the_same_formulas(text: str) -> None:
    assert bool(verify.FORMULA.search(text)) == (neutralise(text) != text)
