"""The accuracy report: one pass over cases, then every figure.

Truth is a case's newest outcome. The figures:

- ``ai``: cases with an outcome and an output, by the AI's output.
- ``human``: first verdicts of people, one count each.
- ``human_consensus``: the plain majority of each case's first verdicts.
- ``combined``: the label that took effect; cases in which none did are left out, and counted.
- ``automatic_lane``: the AI's output where no person looked, from the random audits.
- ``team_gain``: combined against the better of ``ai`` and ``human``.
- ``ece``, ``brier``: the AI's confidence. ``per_class``: the AI's labels. ``confusion``: all four.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from apps.metrics.domain.audited import audit_weighted
from apps.metrics.domain.calibration import brier, ece
from apps.metrics.domain.classes import confusion_of, error_rates, per_class
from apps.metrics.domain.estimates import Estimate, share, share_by_case
from apps.metrics.domain.gain import team_gain
from apps.metrics.domain.verdicts import plain_majority

NO_OUTCOME: Final = "no decision of the window has an outcome and an output"
NO_VERDICT: Final = "no decision of the window has an outcome and a first verdict of a person"
NO_EFFECT: Final = "no decision of the window has an outcome and a label in effect"


@dataclass(frozen=True, slots=True)
class Labels:
    """A use case's label set: ``names`` in order, the ``favourable`` one and the ``positive`` one.

    Either can be "": then there is none; the favourable one stands in for the positive one.
    """

    names: tuple[str, ...]
    favourable: str = ""
    positive: str = ""

    @property
    def event(self) -> str:
        """The label that error rates take as positive."""
        return self.positive or self.favourable


@dataclass(frozen=True, slots=True)
class Case:
    """One decision, as far as accuracy goes.

    ``given``: the AI's label; ``truth``: the true one; ``in_effect``: the one that took effect;
    each None where there is none. ``right``: whether the AI's output was right, None where that is
    not known; ``right_in_effect``: the same of what took effect. ``verdicts``: first verdicts of
    people. ``confidence`` in [0, 1] or None. ``chance``: that of the random audit, None for a case
    that never came to it; ``drawn``: the audit picked it; ``unseen``: it was released without a
    person, by its lane.
    """

    given: str | None = None
    truth: str | None = None
    in_effect: str | None = None
    right: bool | None = None
    right_in_effect: bool | None = None
    verdicts: tuple[str, ...] = ()
    confidence: float | None = None
    chance: float | None = None
    drawn: bool = False
    unseen: bool = False


@dataclass(slots=True)
class _Answers:
    """The AI's or the combined answers: how many, how many right, and which for which truth."""

    n: int = 0
    right: int = 0
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, right: bool, truth: str | None, given: str | None) -> None:
        self.n += 1
        self.right += right
        if truth is not None and given is not None:
            self.pairs[truth, given] += 1

    def estimate(self, why: str) -> Estimate:
        return share(self.right, self.n, why)


@dataclass(slots=True)
class _Grouped:
    """Answers that come several a case: hits of sizes, a row a case."""

    hits: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, hits: int, size: int) -> None:
        self.hits.append(hits)
        self.sizes.append(size)

    def estimate(self, why: str) -> Estimate:
        return share_by_case(self.hits, self.sizes, why)


@dataclass(slots=True)
class _Judgements:
    """First verdicts of people: all, by whether the case is positive, and as one label a case."""

    labels: Labels
    every: _Grouped = field(default_factory=_Grouped)
    false_positives: _Grouped = field(default_factory=_Grouped)
    misses: _Grouped = field(default_factory=_Grouped)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    consensus: _Answers = field(default_factory=_Answers)

    def add(self, truth: str, verdicts: Sequence[str]) -> None:
        size, event = len(verdicts), self.labels.event
        self.every.add(verdicts.count(truth), size)
        called = verdicts.count(event)
        if truth == event:
            self.misses.add(size - called, size)
        else:
            self.false_positives.add(called, size)
        self.pairs.update((truth, verdict) for verdict in verdicts)
        one = plain_majority(verdicts, self.labels.names, self.labels.favourable)
        self.consensus.add(one == truth, truth, one)

    def rates(self) -> dict[str, Estimate]:
        event = self.labels.event
        return {
            "fpr": self.false_positives.estimate(f"no judged case is truly other than {event!r}"),
            "fnr": self.misses.estimate(f"no judged case is truly {event!r}"),
        }


@dataclass(slots=True)
class _Pairs:
    """Cases in which both what took effect and one side's own answers are known."""

    combined: list[bool] = field(default_factory=list)
    alone: _Grouped = field(default_factory=_Grouped)

    def add(self, combined: bool, hits: int, size: int) -> None:
        self.combined.append(combined)
        self.alone.add(hits, size)


@dataclass(slots=True)
class _Audits:
    """The random audit: who came to it, who was drawn, and how the drawn ones went."""

    lane: int = 0
    drawn: int = 0
    never: int = 0
    chance: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)

    def add(self, case: Case) -> None:
        if not case.chance:  # a chance of 0 is none
            self.never += case.unseen
            return
        self.lane += 1
        if case.drawn:
            self.drawn += 1
            if case.right is not None:
                self.chance.append(case.chance)
                self.right.append(case.right)


class _Tally:
    """What one pass over the cases gathers."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.cases = self.known = self.without_effect = 0
        self.ai, self.combined = _Answers(), _Answers()
        self.people = _Judgements(labels)
        self.confidence: list[float] = []
        self.confident_right: list[bool] = []
        self.audits = _Audits()
        self.against = {"ai": _Pairs(), "human": _Pairs()}

    def add(self, case: Case) -> None:
        self.cases += 1
        self.audits.add(case)
        if case.truth is None and case.right is None:
            return
        self.known += 1
        self._add_ai(case)
        if case.truth is not None and case.verdicts:
            self.people.add(case.truth, case.verdicts)
        self._add_combined(case)

    def _add_ai(self, case: Case) -> None:
        if case.right is None:
            return
        self.ai.add(case.right, case.truth, case.given)
        if case.confidence is not None and case.given is not None:
            self.confidence.append(case.confidence)
            self.confident_right.append(case.right)

    def _add_combined(self, case: Case) -> None:
        right = case.right_in_effect
        if right is None:
            self.without_effect += 1
            return
        self.combined.add(right, case.truth, case.in_effect)
        if case.right is not None:
            self.against["ai"].add(right, int(case.right), 1)
        if case.truth is not None and case.verdicts:
            self.against["human"].add(right, case.verdicts.count(case.truth), len(case.verdicts))


def accuracy_report(cases: Iterable[Case], labels: Labels) -> dict[str, Any]:
    """Every figure of accuracy, as a JSON object.

    Definition: see the module's text; each figure's own function says how it is made. The better
    side of ``team_gain`` is the one whose figure here is larger, the AI where they are equal.
    Parameters: ``cases``, read once, in any order; ``labels`` of the use case.
    Returns: {"decisions", "ai", "human", "human_consensus", "combined", "automatic_lane",
    "team_gain", "ece", "brier", "per_class", "confusion"}. A figure without data is null and says
    why; none keeps another from being made.
    """
    tally = _Tally(labels)
    for case in cases:
        tally.add(case)
    human = tally.people.every.estimate(NO_VERDICT)
    ai = tally.ai.estimate(NO_OUTCOME)
    figures = {
        "ai": ai,
        "human": human,
        "human_consensus": tally.people.consensus.estimate(NO_VERDICT),
        "combined": tally.combined.estimate(NO_EFFECT),
        "automatic_lane": _automatic_lane(tally.audits),
        "team_gain": _team_gain(tally, ai, human),
        "ece": ece(tally.confidence, tally.confident_right),
        "brier": brier(tally.confidence, tally.confident_right),
    }
    found = {name: estimate.document() for name, estimate in figures.items()}
    found["combined"] |= {"left_out": _left_out(tally)}
    found["automatic_lane"] |= {"never_sampled": tally.audits.never}
    counts = {"n": tally.cases, "with_outcome": tally.known}
    return {"decisions": counts, **found, **_by_class(tally)}


def _automatic_lane(audits: _Audits) -> Estimate:
    return audit_weighted(audits.chance, audits.right, audits.drawn, audits.lane)


def _team_gain(tally: _Tally, ai: Estimate, human: Estimate) -> Estimate:
    sides = {"ai": ai.value, "human": human.value}
    known = {side: value for side, value in sides.items() if value is not None}
    against = max(known, key=known.__getitem__, default=None)
    pairs = tally.against[against] if against else _Pairs()
    return team_gain(pairs.combined, pairs.alone.hits, pairs.alone.sizes, against)


def _left_out(tally: _Tally) -> dict[str, Any]:
    """Cases with an outcome in which no label took effect, and their share."""
    n = tally.without_effect
    return {"n": n, "share": n / tally.known if tally.known else None}


def _by_class(tally: _Tally) -> dict[str, Any]:
    names, people = tally.labels.names, tally.people
    ai = confusion_of(tally.ai.pairs, names)
    tables = {
        "ai": ai,
        "human": confusion_of(people.pairs, names),
        "human_consensus": confusion_of(people.consensus.pairs, names),
        "combined": confusion_of(tally.combined.pairs, names),
    }
    event = tally.labels.event
    classes = {
        label: {
            name: figure.document() if isinstance(figure, Estimate) else figure
            for name, figure in figures.items()
        }
        for label, figures in per_class(ai).items()
    }
    confusion: dict[str, Any] = {"positive": event or None}
    for side, table in tables.items():
        rates: dict[str, Estimate] = {}
        if event in table.labels:
            rates = people.rates() if side == "human" else error_rates(table, event)
        confusion[side] = {
            "labels": list(table.labels),
            "counts": [list(row) for row in table.counts],
            **{name: rate.document() for name, rate in rates.items()},
        }
    return {"per_class": classes, "confusion": confusion}
