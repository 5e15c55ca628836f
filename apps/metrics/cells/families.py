"""The families of cells: their tables, and of each table what rows are told apart by and added up.

A text that is not there has the code -1. Reviews of known answers and of practice are in
``reviews.known`` alone. ``group:NAME`` stands for a column a protected attribute.

- ``outcome``: every decision once. ``right`` and ``right_final`` are 1, 0 or -1 (not known);
  ``drawn``: by the random audit, with the chance ``chance`` (nan: it never came to it); ``unseen``:
  released without a person, by its lane.
- ``calibration``: decisions with a confidence and an outcome. ``bin`` is the confidence's of 15;
  ``sum`` is of confidences, ``square`` and ``fourth`` are of (confidence - right) to the second and
  the fourth power, so that few rows hold what calibration needs exactly.
- ``confidence``: every decision once. ``level`` is the confidence times 10,000, -1 without one.
- ``groups``: every decision once an attribute. ``level`` is the confidence times 1,000.
- ``people``: decisions with a first verdict of a person. ``pattern`` is the counts of these by
  label, in the order of the use case's labels, "3,0,1"; one number more where some named a label
  that has left the set. The table ``levels`` has the same by the confidence times 10,000.
- ``reviews``: ``cells``, people's reviews; ``streaks``, runs of confirmations in order of time;
  ``known``, answers to known cases; ``paces``, active seconds of confirmations and of blind answers;
  ``times``, active seconds; ``peers``, first verdicts on one case by pairs of people.
- ``flow``: ``counts`` by name, ``times`` by cell of ``domain.durations``.
- ``breaches``: one row an exception, the first thousand of the day by kind and decision. ``counts``
  has them all, ``n``, and how many ``decisions`` they concern: by kind, and without one of all kinds.
- ``features``: a table a feature, on the edges of a reference profile: ``cell``, its count, and the
  sum of the values in a number's tails. The table "" names the profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from apps.metrics.domain.tables import Table, collapse, concat, empty_table

GROUP: Final = "group:"
VERSION: Final = 4  # of what is counted: another one has every day counted again


@dataclass(frozen=True, slots=True)
class Shape:
    """A table's columns. ``grouped``: a text column for each protected attribute besides.

    Rows are told apart by ``texts``, ``ints``, ``axis`` and ``floats``; ``counts`` (whole numbers)
    and ``sums`` are added up. ``axis``: whole numbers of which a day may hold thousands.
    """

    texts: tuple[str, ...]
    ints: tuple[str, ...] = ()
    floats: tuple[str, ...] = ()
    counts: tuple[str, ...] = ("n",)
    sums: tuple[str, ...] = ()
    grouped: bool = False
    axis: str | None = None

    @property
    def whole(self) -> tuple[str, ...]:
        """The columns of whole numbers that rows are told apart by."""
        return self.ints if self.axis is None else (*self.ints, self.axis)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold numbers."""
        return (*self.whole, *self.floats, *self.counts, *self.sums)

    def keys(self, attributes: Sequence[str]) -> tuple[str, ...]:
        """The columns that rows are told apart by."""
        return (*self.text_columns(attributes), *self.whole, *self.floats)

    def text_columns(self, attributes: Sequence[str]) -> tuple[str, ...]:
        groups = [GROUP + name for name in attributes] if self.grouped else []
        return (*self.texts, *groups)


OUTCOME: Final = Shape(
    texts=("version", "lane", "would_be", "status", "given", "final", "true", "rule"),
    ints=("right", "right_final", "drawn", "unseen"),
    floats=("chance",),
    sums=("amount_sum",),
    grouped=True,
)
CONFIDENCE: Final = Shape(texts=("version", "given", "true"), ints=("right",), axis="level")
CALIBRATION: Final = Shape(
    texts=("version", "given", "true"), ints=("bin", "right"), sums=("sum", "square", "fourth")
)
GROUPS: Final = Shape(texts=("attribute", "group", "given", "pattern"), axis="level")
PEOPLE: Final = {
    "people": Shape(texts=("version", "given", "true", "pattern"), ints=("right_final",)),
    "levels": Shape(texts=("version", "given", "true", "pattern"), axis="level"),
}
REVIEWS: Final = {
    "cells": Shape(
        texts=("reviewer", "first", "final", "ai", "true", "version"),
        ints=("saw_ai",),
        counts=("n", "timed", "seconds"),
        grouped=True,
    ),
    "streaks": Shape(
        texts=("reviewer",), ints=("n", "confirmed", "head", "tail", "longest"), counts=()
    ),
    "known": Shape(texts=("reviewer",), counts=("n", "right")),
    "paces": Shape(texts=("reviewer", "of"), axis="cell"),
    "times": Shape(texts=("reviewer",), axis="cell", sums=("total",)),
    "peers": Shape(texts=("reviewer", "own", "peer")),
}
FLOW: Final = {
    "counts": Shape(texts=("name", "a", "b"), sums=("total", "squares")),
    "times": Shape(texts=("name", "a"), axis="cell", sums=("total",)),
}
BREACHES: Final = {
    "breaches": Shape(texts=("kind", "decision", "detail")),
    "counts": Shape(texts=("kind",), counts=("decisions", "n")),
}
FEATURE: Final = Shape(texts=(), axis="cell", sums=("total",))
PROFILE_TABLE: Final = ""  # no feature has this name
PROFILE: Final = Shape(texts=("profile",))

SHAPES: Final[Mapping[str, Mapping[str, Shape]]] = {
    "outcome": {"outcome": OUTCOME},
    "calibration": {"calibration": CALIBRATION},
    "confidence": {"confidence": CONFIDENCE},
    "groups": {"groups": GROUPS},
    "people": PEOPLE,
    "reviews": REVIEWS,
    "flow": FLOW,
    "breaches": BREACHES,
    "features": {PROFILE_TABLE: PROFILE},
}

# a table of today -> the one that held its rows in cells of an earlier version
EARLIER: Final[Mapping[tuple[str, str], str]] = {("people", "levels"): "people"}


def shape_of(family: str, name: str) -> Shape:
    """The shape of a table; every other one of ``features`` is a feature's.

    Raises: ValueError: there is no such family, or no such table in it.
    """
    if family not in SHAPES:
        raise ValueError(f"family={family!r}: there are {', '.join(SHAPES)}")
    found = SHAPES[family].get(name, FEATURE if family == "features" else None)
    if found is None:
        raise ValueError(f"table={name!r}: {family} has {', '.join(SHAPES[family])}")
    return found


def empty(shape: Shape, attributes: Sequence[str]) -> Table:
    """A table of a shape without a row."""
    ints, floats = (*shape.whole, *shape.counts), (*shape.floats, *shape.sums)
    return empty_table(shape.text_columns(attributes), ints, floats)


def added(tables: Sequence[Table], shape: Shape, attributes: Sequence[str]) -> Table:
    """Tables of a shape as one, equal rows added up; its rows sorted."""
    whole = concat([empty(shape, attributes), *tables])
    return collapse(whole, shape.keys(attributes), (*shape.counts, *shape.sums))


def axes_of(family: str, names: Iterable[str]) -> dict[str, str]:
    """The axes of some of a family's tables, of those that have one."""
    axes = {name: shape_of(family, name).axis for name in names}
    return {name: axis for name, axis in axes.items() if axis is not None}
