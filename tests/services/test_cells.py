"""Cells: what they hold is what the rows hold."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from apps.metrics.cells.window import read_cells
from apps.metrics.domain.tables import labels
from apps.metrics.first_reading import Window, read_cases
from apps.registry.models import UseCase
from tests.metrics.rows import DAY, define, judge, label, send, turn_out

pytestmark = pytest.mark.django_db


def fill(use_case: UseCase, people: list[Any], seed: int, count: int = 120) -> None:
    """Decisions of five days with any mix of reviews and outcomes."""
    draw = Random(seed)
    names = [f"{seed}-{n}" for n in range(count)]
    send(
        use_case,
        [
            label(
                name,
                draw.choice(["low", "high"]),
                draw.choice([0.5, 0.8, 0.95, draw.random()]),
                decided_at=(DAY + timedelta(hours=draw.randrange(5 * 24))).isoformat(),
            )
            for name in names
        ],
    )
    for name in names:
        for person in draw.sample(people, draw.choice([0, 0, 1, 3])):
            first = draw.choice([None, "low", "high"])
            seen = draw.choice([True, False, None])
            judge(
                name,
                person,
                draw.choice(["low", "high"]),
                saw_ai=seen,
                initial_label=first,
                active_seconds=draw.choice([None, 3.0, draw.random() * 600]),
            )
        for _ in range(draw.choice([0, 1, 1, 2])):
            turn_out(name, draw.choice(["low", "high"]))


@pytest.mark.parametrize("seed", range(3))
def test_outcome_cells_count_what_the_slow_reading_finds(seed: int, make_person: Any) -> None:
    use_case = define(confidence_threshold=0.8, audit_rate=0.3)
    fill(use_case, [make_person(f"p{n}") for n in range(4)], seed)
    table = read_cells(use_case, Window()).table("outcome")
    columns = [labels(table, name) for name in ("given", "true", "final")]
    columns += [
        table.numbers[name].tolist() for name in ("right", "right_final", "drawn", "unseen")
    ]
    found: Counter[Any] = Counter()
    for *key, n in zip(*columns, table.ints("n").tolist(), strict=True):
        found[tuple(key)] += n
    wanted: Counter[Any] = Counter()
    for one in read_cases(use_case, Window()):
        right = -1 if one.right is None else int(one.right)
        final = -1 if one.right_in_effect is None else int(one.right_in_effect)
        wanted[one.given, one.truth, one.in_effect, right, final, one.drawn, one.unseen] += 1
    assert found == wanted
