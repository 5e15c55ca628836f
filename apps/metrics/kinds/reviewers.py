"""Reviewers from cells: agreement, known answers, reliance, pace and practice, person by person."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

import numpy as np

from apps.metrics.domain.durations import CELLS, Durations, together
from apps.metrics.domain.haste import BLIND, CONFIRMED, Floor, haste_floor, hasty_part
from apps.metrics.domain.proportions import Part
from apps.metrics.domain.reliance import ReviewCells, Streak, joined
from apps.metrics.domain.reviewers import Reviewer, reviewers_report
from apps.metrics.domain.tables import NONE, Ints, Table, codes_by, collapse, where
from apps.metrics.kinds.bias import favourable_parts
from apps.metrics.kinds.reading import Cells, Facts, Judged, judged_of, label_set

FAMILIES: Final = ("reviews", "people")


def report(cells: Cells, facts: Facts) -> dict[str, Any]:
    """Every figure of the reviewers of a window.

    Definition: ``domain.reviewers.reviewers_report``; besides, ``rubber_stamping``: the reviewers
    whose longest run of confirmations is longer than chance explains; ``hasty_floor``: below which
    time a confirmation is called hasty, and why there.
    Parameters: ``cells`` with FAMILIES; ``facts``: labels, seed, people (id -> name), practice
    (id -> {"last_week", "missing_qualifications"}), hasty_seconds or null.
    Returns: a JSON object. A figure without data is null and says why.
    """
    labels = label_set(facts)
    table = cells.table("reviews", "cells")
    people = judged_of(cells.table("people"), labels)
    names, floor = keys_of(cells), floor_of(cells, facts)
    found = reviewers_report(
        reviewers_of(cells, names, labels.names, labels.favourable, facts, floor),
        review_cells(table, names, labels.names),
        people.verdicts.tolist(),
        ai_by_people(people).tolist(),
        seed=facts["seed"],
        copies=people.n.tolist(),
    )
    raised = [one for one in found["by_reviewer"] if one["rubber_stamping"]["raised"]]
    shown = [{"reviewer": one["reviewer"], **one["rubber_stamping"]} for one in raised]
    found |= {"reviewers": len(names), "rubber_stamping": shown}
    return found | {"hasty_floor": floor.document()}


def floor_of(cells: Cells, facts: Facts) -> Floor:
    """Below which time a confirmation is hasty: the use case's, or from blind answers of all."""
    blind = together(paces_of(cells.table("reviews", "paces"), BLIND).values())
    return haste_floor(blind, facts.get("hasty_seconds"))


def paces_of(table: Table, of: str) -> dict[str, Durations]:
    """Reviewer -> active seconds of confirmations, or of blind answers."""
    own = where(table, codes_by(table, "of", (of,)) == 0)
    counts, names = _by_cell(own), own.texts["reviewer"].names
    return {name: Durations(counts[code], 0) for code, name in enumerate(names)}


def _by_cell(table: Table) -> Ints:
    """How often each cell of seconds was met, shape (reviewers, CELLS): one pass over the rows."""
    text = table.texts["reviewer"]
    named = where(table, text.codes != NONE)
    at = named.texts["reviewer"].codes * CELLS + named.ints("cell")
    counts = np.bincount(at, named.ints("n"), minlength=len(text.names) * CELLS)
    return counts.astype(np.int64).reshape(len(text.names), CELLS)


def keys_of(cells: Cells) -> tuple[str, ...]:
    """All reviewers of the window, by the key that cells have for them, sorted."""
    tables = [cells.table("reviews", name) for name in ("cells", "known", "streaks")]
    return tuple(sorted({name for table in tables for name in table.texts["reviewer"].names}))


def review_cells(table: Table, reviewers: tuple[str, ...], labels: tuple[str, ...]) -> ReviewCells:
    """The table "cells" of the family ``reviews`` as the domain's.

    Parameters: ``reviewers``, whose places are the codes; ``labels`` of the use case, which others
    that stand in the cells follow.
    """
    columns = ("first", "final", "ai", "true")
    small = collapse(table, ("reviewer", "saw_ai", *columns), ("n", "timed", "seconds"))
    seen = {name for column in columns for name in small.texts[column].names}
    names = (*labels, *sorted(seen - set(labels)))
    first, final, ai, true = (codes_by(small, column, names) for column in columns)
    return ReviewCells(
        reviewer=codes_by(small, "reviewer", reviewers),
        saw_ai=small.ints("saw_ai") == 1,
        first=first,
        final=final,
        ai=ai,
        true=true,
        n=small.ints("n"),
        seconds=small.ints("seconds"),
        timed=small.ints("timed"),
    )


def ai_by_people(people: Judged) -> Ints:
    """The AI's label by people's first verdicts on the same case, counts of shape (K, K)."""
    table = np.zeros((len(people.names), len(people.names)), dtype=np.int64)
    for given in np.unique(people.given[people.given != NONE]).tolist():
        rows = people.given == given
        table[given] = people.n[rows] @ people.verdicts[rows]
    return table


def reviewers_of(
    cells: Cells,
    keys: tuple[str, ...],
    labels: tuple[str, ...],
    favourable: str,
    facts: Facts,
    floor: Floor,
) -> list[Reviewer]:
    """What is counted of each reviewer, in the order of ``keys``."""
    answers = _parts(cells.table("reviews", "known"), "right", "n")
    confirmed = paces_of(cells.table("reviews", "paces"), CONFIRMED)
    streaks, times = streaks_of(cells), times_of(cells.table("reviews", "times"))
    peers = peers_of(cells.table("reviews", "peers"), labels)
    parts = favourable_parts(cells.table("reviews", "cells"), favourable)
    people, practice = facts["people"], facts["practice"]
    nothing: Mapping[str, Any] = {}
    no_times = Durations(np.zeros(CELLS, dtype=np.int64), 0)
    return [
        Reviewer(
            name=people.get(key, key),
            code=code,
            known_answers=answers.get(key, Part(0, 0)),
            peers=peers.get(key, ()),
            times=times.get(key, no_times),
            streak=streaks.get(key, Streak()),
            hasty=hasty_part(confirmed.get(key, no_times), floor.seconds),
            favourable=parts.get(key, {}),
            missing=tuple(practice.get(key, nothing).get("missing_qualifications", ())),
            last_week=practice.get(key, nothing).get("last_week", 0),
        )
        for code, key in enumerate(keys)
    ]


def _parts(table: Table, hits: str, total: str) -> dict[str, Part]:
    """Reviewer -> counts of a table that holds no more."""
    small = collapse(table, ("reviewer",), (hits, total))
    text = small.texts["reviewer"]
    rows = zip(text.codes.tolist(), small.ints(hits), small.ints(total), strict=True)
    return {text.names[code]: Part(int(k), int(n)) for code, k, n in rows if code != NONE}


def streaks_of(cells: Cells) -> dict[str, Streak]:
    """Reviewer -> runs of confirmations over the days, joined in their order."""
    found: dict[str, list[Streak]] = {}
    for table in cells.per_day("reviews", "streaks").values():
        text = table.texts["reviewer"]
        columns = [table.ints(name).tolist() for name in Streak.__slots__]
        for code, *numbers in zip(text.codes.tolist(), *columns, strict=True):
            if code != NONE:
                found.setdefault(text.names[code], []).append(Streak(*numbers))
    return {name: reduce(joined, parts) for name, parts in found.items()}


def times_of(table: Table) -> dict[str, Durations]:
    """Reviewer -> active seconds."""
    text, counts = table.texts["reviewer"], _by_cell(table)
    seconds = np.bincount(text.codes + 1, table.floats("total"), minlength=len(text.names) + 1)[1:]
    return {
        name: Durations(counts[code], round(float(seconds[code])))
        for code, name in enumerate(text.names)
    }


def peers_of(table: Table, labels: tuple[str, ...]) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Reviewer -> counts (K, K), own first verdict by a peer's on the same case."""
    small = collapse(table, ("reviewer", "own", "peer"), ("n",))
    seen = {name for column in ("own", "peer") for name in small.texts[column].names}
    names = (*labels, *sorted(seen - set(labels)))
    own, peer = (codes_by(small, column, names) for column in ("own", "peer"))
    text, n, size = small.texts["reviewer"], small.ints("n"), len(names)
    used = (own != NONE) & (peer != NONE)
    found = {}
    for code, name in enumerate(text.names):
        rows = used & (text.codes == code)
        counts = np.bincount(own[rows] * size + peer[rows], n[rows], size * size)
        whole = counts.astype(np.int64).reshape(size, size).tolist()
        found[name] = tuple(tuple(row) for row in whole)
    return found
