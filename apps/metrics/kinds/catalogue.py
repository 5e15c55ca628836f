"""Which kinds of report there are, and which cells each is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from apps.metrics.kinds import (
    accuracy,
    bias,
    business,
    compliance,
    drift,
    operations,
    reviewers,
)


class Kind(NamedTuple):
    """A kind: its ``report`` from cells and facts, the ``families`` of the window's cells, and those
    of the ``reference``, where it is compared with one: the report then takes it as a third
    argument; ``rolled``: the families that it only adds up; ``shown``: the part of the report that
    people look at, where it is made sooner than the whole."""

    report: Callable[..., dict[str, Any]]
    families: tuple[str, ...]
    reference: tuple[str, ...] = ()
    rolled: tuple[str, ...] = ()
    shown: Callable[..., dict[str, Any]] | None = None


KINDS: Final[Mapping[str, Kind]] = {
    "accuracy": Kind(accuracy.report, accuracy.FAMILIES),
    "bias": Kind(bias.report, bias.FAMILIES, shown=bias.shown),
    "drift": Kind(drift.report, drift.FAMILIES, drift.REFERENCE_FAMILIES, drift.ROLLED),
    "reviewers": Kind(reviewers.report, reviewers.FAMILIES),
    "operations": Kind(operations.report, operations.FAMILIES),
    "compliance": Kind(compliance.report, compliance.FAMILIES, shown=compliance.shown),
    "business": Kind(business.report, business.FAMILIES),
}
