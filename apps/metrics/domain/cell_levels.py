"""From cells to levels of confidence: what the frontier is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import numpy as np

from apps.metrics.domain.estimates import Estimate, share_by_case
from apps.metrics.domain.levels import Floats, GroupLevels, Ints, Levels
from apps.metrics.domain.tables import NONE, Mask, Table, codes_by, where
from apps.metrics.domain.verdicts import plain_majority

FINE: Final = 10_000
COARSE: Final = 1_000
NO_VERDICT: Final = "no decision has an outcome and a first verdict of a person"


@dataclass(frozen=True, slots=True)
class Answers:
    """The labels of a use case, which one is favourable ("" for none), and (true, given) -> the
    cost of that error."""

    labels: tuple[str, ...]
    favourable: str = ""
    costs: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Votes:
    """Each pattern of first verdicts, an array's row a pattern; the last column or row is of a label
    that is none of the use case's.

    ``share``: (P, K + 1), the share of the votes; ``size``: (P,), their number; ``majority``: (P,),
    the label's place; ``pairs``: (P,), the share of equal pairs, 0 below two votes.
    """

    share: Floats
    size: Ints
    majority: Ints
    pairs: Floats


def votes_of(patterns: tuple[str, ...], answers: Answers) -> Votes:
    """What the patterns "2,0,1", votes by label in the order of the labels, say.

    Parameters: ``patterns``; ``answers``. A label added since the pattern was written has 0 votes; a
    number more than there are labels is of votes for labels that have left the set.
    Returns: Votes of shape (P,).
    """
    size = max(1, len(answers.labels))
    counts = np.zeros((len(patterns), size + 1))
    others = np.zeros(len(patterns))
    majority = np.full(len(patterns), NONE, dtype=np.int64)
    for i, pattern in enumerate(patterns):
        each = [int(part) for part in pattern.split(",")]
        counts[i, : min(len(each), size)] = each[:size]
        others[i] = sum(each[size:])
        majority[i] = _most(each, answers)
    total = counts.sum(axis=1) + others
    share = np.divide(counts, total[:, None], where=total[:, None] > 0, out=np.zeros_like(counts))
    among = total * (total - 1)
    equal = (counts * (counts - 1)).sum(axis=1) + others * (others - 1)
    pairs = np.divide(equal, among, where=among > 0, out=np.zeros(len(patterns)))
    return Votes(share, total.astype(np.int64), majority, pairs)


def _most(each: list[int], answers: Answers) -> int:
    """The place of the label that most votes name, NONE for one that has left the set."""
    names = [*answers.labels[: len(each)], *[""] * (len(each) - len(answers.labels))]
    cast = [name for name, n in zip(names, each, strict=True) for _ in range(n)]
    label = plain_majority(cast, answers.labels, answers.favourable)
    return NONE if label not in answers.labels else answers.labels.index(label)


def cost_matrix(answers: Answers) -> Floats:
    """What each error costs.

    Returns: shape (K + 1, K + 1), true label by given one; 0 for none of the labels.
    """
    size = max(1, len(answers.labels))
    found = np.zeros((size + 1, size + 1))
    place = {label: i for i, label in enumerate(answers.labels)}
    for (true, given), cost in answers.costs.items():
        if true in place and given in place:
            found[place[true], place[given]] = float(cost)
    return found


def silent(table: Table) -> Mask:
    """The rows of cases to which no model has given an output: neither a label nor a confidence."""
    return np.asarray((table.texts["given"].codes == NONE) & (table.ints("level") < 0))


def levels_from(confidence: Table, people: Table, answers: Answers) -> Levels:
    """Decisions by level of confidence, at 4 decimals; a missing confidence counts as 0.

    Definition: see Levels, each of whose fields is a sum over rows.
    Parameters: ``confidence``: texts given, true; ints level, right, n. ``people``: texts given,
    true, pattern; ints level, n. Cases without an output are in neither sum. ``answers``.
    Returns: Levels of shape (10001,).
    """
    costs = cost_matrix(answers)
    table = where(confidence, ~silent(confidence))
    at, n = _place(table, FINE), table.ints("n")
    known = table.ints("right") >= 0
    true, given = (codes_by(table, name, answers.labels) for name in ("true", "given"))
    wrong = table.ints("right") == 0

    def total(weights: Floats | Ints) -> Floats:
        return np.bincount(at, weights, minlength=FINE + 1).astype(np.float64)

    sums: dict[str, Any] = {
        "n": _whole(total(n)),
        "known": _whole(total(n * known)),
        "right": _whole(total(n * (table.ints("right") == 1))),
        "error_cost": total(n * wrong * costs[true, given]),
    }
    return Levels(np.arange(FINE + 1) / FINE, **sums, **_judged(people, answers, costs))


def _judged(people: Table, answers: Answers, costs: Floats) -> dict[str, Any]:
    """The sums over cases with an outcome and a first verdict."""
    votes = votes_of(people.texts["pattern"].names, answers)
    pattern = people.texts["pattern"].codes
    kept = ~silent(people) & (pattern != NONE) & (people.texts["true"].codes != NONE)
    kept &= np.append(votes.size, 0)[pattern] > 0
    table = where(people, kept)
    pattern, n = pattern[kept], table.ints("n")
    at = _place(table, FINE)
    true, given = (codes_by(table, name, answers.labels) for name in ("true", "given"))
    consensus = votes.majority[pattern]
    several = votes.size[pattern] > 1

    def total(weights: Floats | Ints) -> Floats:
        return np.bincount(at, weights, minlength=FINE + 1).astype(np.float64)

    return {
        "judged": _whole(total(n)),
        "people": total(n * votes.share[pattern, true]),
        "consensus": _whole(total(n * ((consensus == true) & (true != NONE)))),
        "people_cost": total(n * (votes.share @ costs.T)[pattern, true]),
        "consensus_cost": total(n * costs[true, consensus]),
        "agree_ai": total(n * votes.share[pattern, given]),
        "peers": _whole(total(n * several)),
        "agree_peers": total(n * several * votes.pairs[pattern]),
    }


def groups_from(groups: Table, answers: Answers) -> dict[str, GroupLevels]:
    """The favourable answers of each attribute's groups, at 3 decimals of confidence.

    Parameters: ``groups``: texts attribute, group, given, pattern; ints level, n. Cases without an
    output and cases of no known group are in none.
    Returns: attribute -> GroupLevels of shape (G, 1001), sorted.
    """
    found = {}
    votes = votes_of(groups.texts["pattern"].names, answers)
    attribute = groups.texts["attribute"]
    told = ~silent(groups) & (groups.texts["group"].codes != NONE)
    for code, name in sorted(enumerate(attribute.names), key=lambda one: one[1]):
        found[name] = _group_levels(where(groups, told & (attribute.codes == code)), votes, answers)
    return found


def _group_levels(table: Table, votes: Votes, answers: Answers) -> GroupLevels:
    group, n = table.texts["group"], table.ints("n")
    named = np.bincount(group.codes, minlength=len(group.names)) > 0
    used = np.flatnonzero(named)
    width = COARSE + 1
    at = (np.cumsum(named) - 1)[group.codes] * width + _place(table, COARSE)
    good = _favourable(answers)
    favoured = (codes_by(table, "given", answers.labels) == good) & (good != NONE)
    pattern = table.texts["pattern"].codes
    judged = (pattern != NONE) & (np.append(votes.size, 0)[pattern] > 0)
    liked = np.append(votes.share[:, good], 0.0)[pattern]

    def total(weights: Floats | Ints) -> Floats:
        sums = np.bincount(at, weights, minlength=len(used) * width).astype(np.float64)
        return sums.reshape(len(used), width)

    return GroupLevels(
        tuple(group.names[code] for code in used.tolist()),
        np.arange(width) / COARSE,
        _whole(total(n)),
        _whole(total(n * favoured)),
        _whole(total(n * judged)),
        total(n * judged * liked),
    )


def _favourable(answers: Answers) -> int:
    in_set = answers.favourable in answers.labels
    return answers.labels.index(answers.favourable) if in_set else NONE


def _place(table: Table, top: int) -> Ints:
    found: Ints = np.clip(table.ints("level"), 0, top)
    return found


def _whole(sums: Floats) -> Ints:
    """Sums of whole numbers below 2^53, which doubles hold exactly."""
    return np.rint(sums).astype(np.int64)


def single_human(people: Table, answers: Answers) -> Estimate:
    """People's own accuracy, one count per first verdict.

    Definition: right verdicts over all verdicts of cases with an outcome; its interval takes the
    verdicts of a case for alike (see ``share_by_case``). Neutral value: 1; higher is better.
    Parameters: ``people``, as in ``levels_from``; ``answers``. Returns: Estimate; null without one.
    """
    votes = votes_of(people.texts["pattern"].names, answers)
    pattern = people.texts["pattern"].codes
    kept = (pattern != NONE) & (people.texts["true"].codes != NONE)
    kept &= np.append(votes.size, 0)[pattern] > 0
    table, pattern = where(people, kept), pattern[kept]
    size = votes.size[pattern]
    true = codes_by(table, "true", answers.labels)
    hits = np.rint(votes.share[pattern, true] * size).astype(np.int64)
    return share_by_case(hits.tolist(), size.tolist(), NO_VERDICT, table.ints("n").tolist())
