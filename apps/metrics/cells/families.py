"""The families of cells: their tables, and of each table what rows are told apart by and added up.

A text that is not there has the code -1. Reviews of known answers and of practice are in
``reviews.known`` alone. ``group:NAME`` stands for a column a protected attribute.

- ``outcome``: every decision once. ``right`` and ``right_final`` are 1, 0 or -1 (not known);
  ``drawn``: by the random audit, with the chance ``chance`` (nan: it never came to it); ``unseen``:
  released without a person, by its lane.
- ``calibration``: decisions with a confidence and an outcome. ``bin`` is the confidence's of 15;
  ``sum`` is of confidences, ``square`` and ``fourth`` are of (confidence - right) to the second and
  the fourth power, so that few rows hold what calibration needs exactly.
- ``confidence``: every decision once. ``level`` is the confidence times 10,000, ``bin`` its bin of
  15, both -1 without a confidence. ``sum`` is of confidences, ``square`` of (confidence - right)^2
  where ``right`` is known.
- ``groups``: every decision once an attribute. ``level`` is the confidence times 1,000.
- ``people``: decisions with a first verdict of a person. ``pattern`` is the counts of these by
  label, in the order of the use case's labels, "3,0,1"; one number more where some named a label
  that has left the set.
- ``reviews``: ``cells``, people's reviews; ``streaks``, runs of confirmations in order of time;
  ``known``, answers to known cases; ``hasty``, confirmations below the queue's floor of all;
  ``times``, active seconds; ``peers``, first verdicts on one case by pairs of people.
- ``flow``: ``counts`` by name, ``times`` by cell of ``domain.durations``.
- ``breaches``: one row an exception.
- ``features``: a table a feature, on the edges of a reference profile: ``cell``, its count, and the
  sum of the values in a number's tails. The table "" names the profile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from apps.metrics.domain.tables import Table, collapse, concat, empty_table

GROUP: Final = "group:"
VERSION: Final = 2  # of what is counted: another one has every day counted again


@dataclass(frozen=True, slots=True)
class Shape:
    """A table's columns. ``grouped``: a text column for each protected attribute besides.

    Rows are told apart by ``texts``, ``ints`` and ``floats``; ``counts`` (whole numbers) and
    ``sums`` are added up.
    """

    texts: tuple[str, ...]
    ints: tuple[str, ...] = ()
    floats: tuple[str, ...] = ()
    counts: tuple[str, ...] = ("n",)
    sums: tuple[str, ...] = ()
    grouped: bool = False

    def keys(self, attributes: Sequence[str]) -> tuple[str, ...]:
        """The columns that rows are told apart by."""
        return (*self.text_columns(attributes), *self.ints, *self.floats)

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
CONFIDENCE: Final = Shape(
    texts=("version", "given", "true"), ints=("level", "bin", "right"), sums=("sum", "square")
)
CALIBRATION: Final = Shape(
    texts=("version", "given", "true"), ints=("bin", "right"), sums=("sum", "square", "fourth")
)
GROUPS: Final = Shape(texts=("attribute", "group", "given", "pattern"), ints=("level",))
PEOPLE: Final = Shape(texts=("version", "given", "true", "pattern"), ints=("level", "right_final"))
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
    "hasty": Shape(texts=("reviewer",), counts=("k", "n")),
    "times": Shape(texts=("reviewer",), ints=("cell",), sums=("total",)),
    "peers": Shape(texts=("reviewer", "own", "peer")),
}
FLOW: Final = {
    "counts": Shape(texts=("name", "a", "b"), sums=("total", "squares")),
    "times": Shape(texts=("name", "a"), ints=("cell",), sums=("total",)),
}
BREACHES: Final = Shape(texts=("kind", "decision", "detail"))
FEATURE: Final = Shape(texts=(), ints=("cell",), sums=("total",))
PROFILE_TABLE: Final = ""  # no feature has this name
PROFILE: Final = Shape(texts=("profile",))

SHAPES: Final[Mapping[str, Mapping[str, Shape]]] = {
    "outcome": {"outcome": OUTCOME},
    "calibration": {"calibration": CALIBRATION},
    "confidence": {"confidence": CONFIDENCE},
    "groups": {"groups": GROUPS},
    "people": {"people": PEOPLE},
    "reviews": REVIEWS,
    "flow": FLOW,
    "breaches": {"breaches": BREACHES},
    "features": {PROFILE_TABLE: PROFILE},
}


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
    ints, floats = (*shape.ints, *shape.counts), (*shape.floats, *shape.sums)
    return empty_table(shape.text_columns(attributes), ints, floats)


def added(tables: Sequence[Table], shape: Shape, attributes: Sequence[str]) -> Table:
    """Tables of a shape as one, equal rows added up; its rows sorted."""
    whole = concat([empty(shape, attributes), *tables])
    return collapse(whole, shape.keys(attributes), (*shape.counts, *shape.sums))
