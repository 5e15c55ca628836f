"""Cases of the demonstration as they are made, without a database."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import mean
from typing import Any

import pytest

from fixtures import loading
from fixtures.history import DAYS, SEED, Told, cases_of
from fixtures.scenario import Case, Period, Scenario
from fixtures.tables import table_of
from fixtures.use_cases import SCENARIOS

TODAY = datetime(2026, 9, 14, tzinfo=UTC)


def each(test: Any) -> Any:
    return pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.slug)(test)


def story(scenario: Scenario, count: int, *, live: bool = False) -> list[Case]:
    """Cases as they are made, evenly over the history."""
    begin = TODAY - timedelta(days=DAYS)
    times = [begin + n * (TODAY - begin) / count for n in range(count)]
    told = Told(scenario, table_of(scenario.slug), loading.ACTOR, TODAY, {})
    return cases_of(told, Period(times, begin, TODAY, Random(SEED), "case", live=live))


def favoured(pairs: list[tuple[str, bool]]) -> float:
    """The largest difference of the shares given the favourable label, between groups."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for group, given in pairs:
        groups[group].append(given)
    shares = [mean(found) for found in groups.values()]
    return max(shares) - min(shares)
