"""Evidence as it is shown: cut where it is marked, boxed, tabled, and never run or fetched."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.web.desk.evidence import (
    MAX_ROWS,
    Box,
    attachment_of,
    boxes_of,
    cell,
    piece_of,
    pieces_of,
    spans_of,
    table_of,
)

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_text_is_cut_at_the_ends_of_its_marks() -> None:
    # 0123456789: "income" is 4..10
    spans, notes = spans_of("the income is low", [{"start": 4, "end": 10, "note": "stated twice"}])
    assert [(s.text, s.notes) for s in spans] == [("the ", ()), ("income", (1,)), (" is low", ())]
    assert [(n.number, n.text) for n in notes] == [(1, "stated twice")]


def test_marks_that_overlap_are_both_named_where_they_do() -> None:
    spans, notes = spans_of("abcdef", [{"start": 2, "end": 5}, {"start": 0, "end": 3, "note": "n"}])
    assert [(s.text, s.notes, s.opens) for s in spans] == [
        ("ab", (1,), (1,)),
        ("c", (1, 2), (2,)),
        ("de", (2,), ()),
        ("f", (), ()),
    ]
    assert [n.text for n in notes] == ["n", "marked"]


@pytest.mark.parametrize(
    "region",
    [
        {"start": 3, "end": 3},
        {"start": 5, "end": 2},
        {"start": -1, "end": 2},
        {"start": 99, "end": 120},
        {"start": "0", "end": 2},
        {"start": True, "end": 2},
        {"start": 0.5, "end": 2},
        {"start": float("inf"), "end": 2},
        {},
    ],
)
def test_a_mark_that_is_no_range_of_the_text_marks_nothing(region: dict[str, Any]) -> None:
    spans, notes = spans_of("abcdef", [region])
    assert [(s.text, s.notes) for s in spans] == [("abcdef", ())]
    assert notes == []


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(-3, 45), st.integers(-3, 45))))
def test_the_runs_of_a_text_join_to_it_whatever_is_marked(
    text: str, marks: list[tuple[int, int]]
) -> None:
    spans, _notes = spans_of(text, [{"start": a, "end": b} for a, b in marks])
    assert "".join(span.text for span in spans) == text
    covered = {i for a, b in marks if 0 <= a < b for i in range(a, min(b, len(text)))}
    place = 0
    for span in spans:
        assert all((i in covered) == bool(span.notes) for i in range(place, place + len(span.text)))
        place += len(span.text)


def test_boxes_are_cut_at_the_images_edges() -> None:
    boxes, notes = boxes_of(
        [
            {"x": 10, "y": 20, "width": 30, "height": 40, "note": "scratch"},
            {"x": 90, "y": -5, "width": 30, "height": 10},
            {"x": 120, "y": 0, "width": 5, "height": 5},
            {"x": "1", "y": 0, "width": 5, "height": 5},
            {"x": 0, "y": 0, "width": float("nan"), "height": 5},
        ]
    )
    assert boxes == [Box(1, 10, 20, 30, 40), Box(2, 90, 0, 10, 5)]
    assert [note.text for note in notes] == ["scratch", "marked"]


@pytest.mark.parametrize("content", [coded(PNG), f"data:image/png;base64,{coded(PNG)}"])
def test_an_image_is_shown_from_the_bytes_that_came_with_the_case(content: str) -> None:
    piece = piece_of(1, {"kind": "image", "title": "Panel", "content": content})
    assert (piece.kind, piece.source) == ("image", f"data:image/png;base64,{coded(PNG)}")


def test_what_only_claims_to_be_an_image_is_not_shown_as_one() -> None:
    script = f"data:image/svg+xml;base64,{coded(b'<svg onload=alert(1)>')}"
    assert piece_of(1, {"kind": "image", "content": script}).kind == "unknown"
    assert piece_of(1, {"kind": "image", "content": coded(b"%PDF-1.7")}).kind == "unknown"


def test_an_address_elsewhere_is_a_link_and_is_never_loaded() -> None:
    piece = piece_of(1, {"kind": "image", "content": "https://pictures.example/7.png"})
    assert (piece.kind, piece.host, piece.source) == ("link", "pictures.example", "")


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "ftp://x/y", "https:///x", "http://[", 7]
)
def test_an_address_that_is_no_web_address_is_no_link(address: Any) -> None:
    assert piece_of(1, {"kind": "url", "content": address}).kind == "unknown"


def test_a_pdf_is_offered_with_its_size() -> None:
    piece = piece_of(3, {"kind": "pdf", "content": coded(b"%PDF-1.7 abc")})
    assert (piece.kind, piece.title, piece.size) == ("pdf", "PDF 3", 12)


@pytest.mark.parametrize("content", ["not base64!", "", None, "data:text/plain,hello", 5])
def test_what_holds_no_bytes_has_no_attachment(content: Any) -> None:
    assert attachment_of(content) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a;b\n1;2\n3;4\n", (["a", "b"], [["1", "2"], ["3", "4"]])),
        ('name,"sum, net"\nx,"1,5"', (["name", "sum, net"], [["x", "1,5"]])),
        ([["a", "b"], [1, None]], (["a", "b"], [["1", "–"]])),
        ([{"a": 1}, {"b": True}], (["a", "b"], [["1", "–"], ["–", "yes"]])),
        ({"a": 1, "b": [2, 3]}, (["Name", "Value"], [["a", "1"], ["b", "2, 3"]])),
        ({"columns": ["a"], "rows": [[1, 2]]}, (["a", ""], [["1", "2"]])),
        ("", None),
        (7, None),
    ],
)
def test_a_table_is_read_from_each_shape_it_comes_in(content: Any, expected: Any) -> None:
    assert table_of(content) == expected


def test_a_table_that_is_too_long_says_what_is_left_out() -> None:
    rows = [["n"], *[[i] for i in range(MAX_ROWS + 5)]]
    piece = piece_of(1, {"kind": "table", "content": rows})
    assert (len(piece.rows), piece.left_out.startswith("205 rows")) == (MAX_ROWS, True)


def test_a_nested_value_is_said_in_words_and_not_as_data() -> None:
    text = cell({"street": "Main 1", "tags": ["a", None], "new": False})
    assert text == "street: Main 1; tags: a, –; new: no"
    assert not set('{}[]"') & set(text)


def test_a_kind_that_the_page_does_not_know_is_said_to_be_so() -> None:
    (piece,) = pieces_of([{"kind": "hologram", "content": "x"}])
    assert (piece.kind, "hologram" in piece.why) == ("unknown", True)
    assert pieces_of(None) == []
