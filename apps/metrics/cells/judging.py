"""Cells of what people did: verdicts, runs of confirmations, known answers, time, peers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np

from apps.metrics.cells.columns import Columns, Setup
from apps.metrics.cells.families import GROUP
from apps.metrics.cells.reading import Chunk, Verdict
from apps.metrics.domain.durations import CELLS, STEPS
from apps.metrics.domain.haste import BLIND, CONFIRMED
from apps.metrics.domain.reliance import streak_of
from apps.metrics.domain.tables import Ints, Table, Text, table_from, table_of, text_of


class Confirmation(NamedTuple):
    """A review with sight of the AI's answer, in the order of time: did it leave it as it was?"""

    reviewer: str
    at: datetime
    id: str
    confirmed: bool


def is_human(review: Verdict) -> bool:
    """A person's review that counts: no machine's, and not only the blind answer."""
    return not review.machine and review.final


def review_tables(chunk: Chunk, columns: Columns, setup: Setup) -> dict[str, Table]:
    """The tables of ``reviews`` that add up."""
    people = [one for one in chunk.reviews if not one.machine and one.stage == "review"]
    return {
        "cells": _cells(people, columns, setup),
        "known": _known(chunk),
        "paces": _paces(people, columns),
        "times": _times(people),
        "peers": _peers(columns),
    }


def _cells(people: Sequence[Verdict], columns: Columns, setup: Setup) -> Table:
    places: Ints = np.array([one.place for one in people], dtype=np.int64)

    def at_places(name: str) -> Text:
        text = columns.table.texts[name]
        return Text(text.codes[places], text.names)

    seconds = [round(one.active_seconds or 0) for one in people]
    texts = {
        "reviewer": text_of([str(one.reviewer_id) for one in people]),
        "first": text_of([one.initial_label for one in people]),
        "final": text_of([one.label for one in people]),
        "ai": at_places("given"),
        "true": at_places("true"),
        "version": at_places("version"),
        **{GROUP + name: at_places(GROUP + name) for name in setup.attributes},
    }
    numbers: dict[str, Any] = {
        "saw_ai": [saw_ai(one) for one in people],
        "n": [1] * len(people),
        "timed": [one.active_seconds is not None for one in people],
        "seconds": seconds,
    }
    whole = {name: np.array(values, dtype=np.int64) for name, values in numbers.items()}
    return table_from(texts, whole)


def saw_ai(review: Verdict) -> bool:
    """Whether the AI's answer was seen before the final one. Where an import does not say, a first
    answer that was asked for apart from the final one tells that something was shown in between."""
    return review.initial_label is not None if review.saw_ai is None else review.saw_ai


def confirmed(review: Verdict, given: str | None) -> bool | None:
    """Whether a review left the AI's answer as it was; None where there was nothing to confirm."""
    if not saw_ai(review) or not review.final:
        return None
    if review.verdict in ("confirm", "change", "withhold"):
        return review.verdict == "confirm"
    if review.verdict or given is None or review.label is None:
        return None
    return review.label == given


def confirmations(chunk: Chunk, columns: Columns) -> list[Confirmation]:
    """The chunk's reviews for ``streak_table``."""
    found = []
    given = chunk.decisions.label
    for one in chunk.reviews:
        if one.machine or one.stage != "review":
            continue
        answer = confirmed(one, given[one.place])
        if answer is not None:
            moment = one.reviewed_at or one.created_at
            found.append(Confirmation(str(one.reviewer_id), moment, str(one.id), answer))
    return found


def streak_table(reviews: Iterable[Confirmation]) -> Table:
    """The runs of each reviewer's confirmations over the reviews of a whole day."""
    by_person: dict[str, list[bool]] = defaultdict(list)
    for one in sorted(reviews):
        by_person[one.reviewer].append(one.confirmed)
    streaks = {person: streak_of(answers) for person, answers in by_person.items()}
    names = ("n", "confirmed", "head", "tail", "longest")
    return table_of(
        {"reviewer": list(streaks)},
        {name: [getattr(one, name) for one in streaks.values()] for name in names},
    )


def _known(chunk: Chunk) -> Table:
    rows = [one for kind, one in chunk.checks if kind == "known" and one.right is not None]
    return table_of(
        {"reviewer": [str(one.reviewer_id) for one in rows]},
        {"n": [1] * len(rows), "right": [bool(one.right) for one in rows]},
    )


def _paces(people: Sequence[Verdict], columns: Columns) -> Table:
    """How long confirmations took, and answers that were given unseen."""
    given = columns.table.texts["given"]
    rows = []
    for one in people:
        if one.active_seconds is None:
            continue
        code = int(given.codes[one.place])
        if not saw_ai(one):
            rows.append((str(one.reviewer_id), BLIND, max(0.0, one.active_seconds)))
        elif confirmed(one, given.names[code] if code >= 0 else None):
            rows.append((str(one.reviewer_id), CONFIRMED, max(0.0, one.active_seconds)))
    return table_of(
        {"reviewer": [row[0] for row in rows], "of": [row[1] for row in rows]},
        {"cell": cells_of_seconds([row[2] for row in rows]), "n": [1] * len(rows)},
    )


def cells_of_seconds(seconds: Sequence[float]) -> Ints:
    """The cell of each time, as ``domain.durations`` counts them."""
    s = np.maximum(np.asarray(seconds, dtype=np.float64), 1.0)
    cells: Ints = np.minimum(np.ceil(STEPS * np.log2(s)).astype(np.int64), CELLS - 1)
    return cells


def _times(people: Sequence[Verdict]) -> Table:
    rows = [
        (str(one.reviewer_id), max(0.0, one.active_seconds))
        for one in people
        if one.active_seconds is not None
    ]
    seconds = [s for _, s in rows]
    return table_of(
        {"reviewer": [person for person, _ in rows]},
        {"cell": cells_of_seconds(seconds), "n": [1] * len(rows)},
        {"total": seconds},
    )


def _peers(columns: Columns) -> Table:
    rows = [
        (str(person), own, peer)
        for said in columns.firsts.values()
        for (person, own), (_other, peer) in permutations(said.items(), 2)
    ]
    reviewers, own, peers = zip(*rows, strict=True) if rows else ((), (), ())
    return table_of({"reviewer": reviewers, "own": own, "peer": peers}, {"n": [1] * len(rows)})
