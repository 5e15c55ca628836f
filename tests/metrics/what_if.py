"""Random cases for the what-if: as rows, as levels, and a reading of each point case by case."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from apps.metrics.domain.levels import GroupLevels, Levels
from apps.metrics.domain.verdicts import plain_majority

LABELS = ("low", "high")
COSTS = {("high", "low"): 20.0, ("low", "high"): 5.0}  # (true, given)


class One(NamedTuple):
    confidence: float
    given: str
    true: str | None
    verdicts: tuple[str, ...]
    group: str = "a"


def cases(n: int, seed: int, levels: int = 20) -> list[One]:
    """Cases of which some have no outcome and some no verdict."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        confidence = round(0.5 + random.integers(0, levels) / (2 * levels), 4)
        true = LABELS[random.integers(0, 2)]
        other = LABELS[1 - LABELS.index(true)]
        given = true if random.random() < confidence else other
        verdicts = tuple(
            true if random.random() < 0.8 else other for _ in range(random.integers(0, 4))
        )
        known = true if random.random() < 0.9 else None
        found.append(One(confidence, given, known, verdicts, "ab"[random.integers(0, 2)]))
    return found


def pairs(verdicts: tuple[str, ...]) -> float:
    """The share of equal pairs among two verdicts or more."""
    n = len(verdicts)
    equal = sum(verdicts[i] == verdicts[j] for i in range(n) for j in range(i))
    return equal / (n * (n - 1) / 2)


def levels_of(rows: list[One]) -> Levels:
    sums: dict[float, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for one in rows:
        at = sums[one.confidence]
        at["n"] += 1
        if one.true is None:
            continue
        at["known"] += 1
        at["right"] += one.given == one.true
        at["error_cost"] += COSTS.get((one.true, one.given), 0)
        if not one.verdicts:
            continue
        at["judged"] += 1
        size = len(one.verdicts)
        majority = plain_majority(one.verdicts, LABELS, "low")
        at["people"] += one.verdicts.count(one.true) / size
        at["consensus"] += majority == one.true
        at["people_cost"] += sum(COSTS.get((one.true, said), 0) for said in one.verdicts) / size
        at["consensus_cost"] += COSTS.get((one.true, majority or ""), 0)
        at["agree_ai"] += one.verdicts.count(one.given) / size
        if size > 1:
            at["peers"] += 1
            at["agree_peers"] += pairs(one.verdicts)
    confidence = sorted(sums)
    whole = {"n", "known", "right", "judged", "consensus", "peers"}
    columns = {
        name: np.array(
            [sums[c][name] for c in confidence], dtype=np.int64 if name in whole else float
        )
        for name in Levels.__slots__[1:]
    }
    return Levels(np.array(confidence), **columns)


def groups_of(rows: list[One], favourable: str = "low") -> GroupLevels:
    confidence = sorted({one.confidence for one in rows})
    names = tuple(sorted({one.group for one in rows}))
    shape = (len(names), len(confidence))
    n, favoured, judged = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    people = np.zeros(shape)
    for one in rows:
        at = names.index(one.group), confidence.index(one.confidence)
        n[at] += 1
        favoured[at] += one.given == favourable
        if one.verdicts:
            judged[at] += 1
            people[at] += one.verdicts.count(favourable) / len(one.verdicts)
    return GroupLevels(names, np.array(confidence), n, favoured, judged, people)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def slow_accuracy(rows: list[One], share: int) -> tuple[float, int]:
    """accuracy_single and imputed at ``share`` per cent: one case after the other."""
    ordered = sorted(rows, key=lambda one: one.confidence)
    wanted = -(-share * len(rows) // 100)
    last = ordered[wanted - 1].confidence if wanted else -1.0

    def bin_of(one: One) -> int:
        return min(int(one.confidence * 15), 14)

    def people(one: One) -> float:
        return one.verdicts.count(one.true or "") / len(one.verdicts)

    known = [one for one in rows if one.true is not None]
    judged = [one for one in known if one.verdicts]

    def filled_in(one: One, among: list[One], value: object) -> float:
        near = [other for other in among if bin_of(other) == bin_of(one)] or among
        return mean([value(other) for other in near])  # type: ignore[operator]

    total, imputed = 0.0, 0
    for one in rows:
        if one.confidence > last:
            right = float(one.given == one.true)
            total += (
                right
                if one.true is not None
                else filled_in(one, known, lambda o: float(o.given == o.true))
            )
        elif one.true is not None and one.verdicts:
            total += people(one)
        else:
            total += filled_in(one, judged, people)
            imputed += 1
    return total / len(rows), imputed
