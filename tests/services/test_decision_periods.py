"""The list of decisions of a period: by when they were decided, put together from pieces."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from apps.decisions.models import Decision
from apps.decisions.selectors import newest_of
from apps.web.decisions import listing
from tests.services.gates import body, gate, send

pytestmark = pytest.mark.django_db
SignedIn = Callable[..., Client]
DAY0 = datetime(2025, 3, 1, 12, tzinfo=UTC)
# Days after DAY0 on which the cases were decided, in the order in which they came in.
DAYS = (9, 0, 7, 3, 3, 1, 40, 8, 2, 200)
BY_DAY = sorted(range(len(DAYS)), key=lambda n: (DAYS[n], n))


@pytest.fixture
def client(make_person: Any) -> Client:
    found = Client()
    found.force_login(make_person("someone", "risk_lead"))
    return found


@pytest.fixture(autouse=True)
def cases() -> None:
    loans = gate(policy={"confidence_threshold": 0.6})
    for n, day in enumerate(DAYS):
        at = (DAY0 + timedelta(days=day)).isoformat()
        send(loans, body(f"c-{n}", confidence=0.5 + n / 40, decided_at=at))


def at(day: float) -> str:
    return (DAY0 + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M")


def walk(client: Client, query: str, way: str = "next") -> tuple[list[list[str]], Any]:
    """The ids of each page from the first to the last that ``way`` leads to, and the last page."""
    pages, asked = [], query
    while True:
        page = client.get(f"/decisions/?{asked}").context["page"]
        pages.append([row.decision.external_id for row in page.rows])
        place = getattr(page, way)
        if place is None:
            return pages, page
        asked = f"{query}&{'after' if way == 'next' else 'before'}={place}"


def expected(low: float, high: float, *, falls: bool) -> list[str]:
    """By day and then by arrival, as the definition has it: from ``low`` on, before ``high``."""
    found = [f"c-{n}" for n in BY_DAY if low <= DAYS[n] < high]
    return found[::-1] if falls else found


def small_pages(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    defaults = {**listing.decision_page.__kwdefaults__, "size": size}
    monkeypatch.setattr(listing.decision_page, "__kwdefaults__", defaults)


@pytest.mark.parametrize("sort", ["newest", "oldest"])
@pytest.mark.parametrize(
    ("query", "low", "high"),
    [
        (f"begin={at(1)}&end={at(9)}", 1, 9),
        (f"begin={at(3)}", 3, 1e6),
        (f"end={at(8)}", -1e6, 8),
        (f"begin={at(4)}&end={at(7)}", 4, 7),
    ],
    ids=["both", "begin", "end", "nothing"],
)
def test_a_period_is_listed_by_when_decisions_were_made_whatever_order_they_came_in(
    client: Client, monkeypatch: pytest.MonkeyPatch, sort: str, query: str, low: float, high: float
) -> None:
    small_pages(monkeypatch, 3)
    whole = expected(low, high, falls=sort == "newest")
    pages, last = walk(client, f"{query}&sort={sort}")
    assert [one for page in pages for one in page] == whole
    assert all(len(page) == 3 for page in pages[:-1])
    if last.previous is not None:
        back, first = walk(client, f"{query}&sort={sort}&before={last.previous}", "previous")
        assert [one for page in reversed(back) for one in page] == whole[: 3 * (len(pages) - 1)]
        assert first.previous is None


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_a_rare_match_in_a_period_is_looked_for_stretch_by_stretch(
    client: Client, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    """c-0 to c-3 are below the threshold of 0.6; of them c-1, c-2 and c-3 are in the period."""
    monkeypatch.setattr(listing, "STRETCH", 3)
    query = f"begin={at(0)}&end={at(8.5)}&lane=review&sort={sort}"
    first = client.get(f"/decisions/?{query}").context["page"]
    assert first.partial
    pages, _last = walk(client, query)
    found = ["c-1", "c-3", "c-2"]
    assert [one for page in pages for one in page] == (found if sort == "oldest" else found[::-1])
    assert len(pages) > 1


def test_an_order_by_a_figure_and_the_table_hold_the_same_decisions_of_a_period(
    client: Client,
) -> None:
    query = f"begin={at(1)}&end={at(9)}"
    for sort, whole in (
        ("sure", ["c-8", "c-7", "c-5", "c-4", "c-3", "c-2"]),
        ("newest", expected(1, 9, falls=True)),
        ("oldest", expected(1, 9, falls=False)),
    ):
        assert walk(client, f"{query}&sort={sort}")[0] == [whole]
        table = client.get(f"/decisions/decisions.csv?{query}&sort={sort}").content.decode()
        assert [row["external_id"] for row in csv.DictReader(io.StringIO(table))] == whole


@pytest.mark.parametrize("sort", ["newest", "oldest"])
@pytest.mark.parametrize(
    ("query", "low", "high"),
    [("", -1e6, 1e6), (f"begin={at(1)}&end={at(9)}", 1, 9), ("q=c-", -1e6, 1e6)],
    ids=["all", "period", "part of an id"],
)
def test_one_use_case_is_listed_by_when_decisions_were_made(
    client: Client, monkeypatch: pytest.MonkeyPatch, sort: str, query: str, low: float, high: float
) -> None:
    small_pages(monkeypatch, 3)
    asked = f"use_case=loan&sort={sort}&{query}"
    whole = expected(low, high, falls=sort == "newest")
    pages, last = walk(client, asked)
    assert [one for page in pages for one in page] == whole
    assert all(len(page) == 3 for page in pages[:-1])
    back, first = walk(client, f"{asked}&before={last.previous}", "previous")
    assert [one for page in reversed(back) for one in page] == whole[: 3 * (len(pages) - 1)]
    assert first.previous is None
    table = client.get(f"/decisions/decisions.csv?{asked}").content.decode()
    assert [row["external_id"] for row in csv.DictReader(io.StringIO(table))] == whole


@pytest.mark.parametrize("sort", ["newest", "oldest"])
@pytest.mark.parametrize("period", ["", f"&begin={at(0)}&end={at(8.5)}"], ids=["all", "period"])
def test_a_rare_match_in_one_use_case_is_looked_for_by_when_decisions_were_made(
    client: Client, monkeypatch: pytest.MonkeyPatch, sort: str, period: str
) -> None:
    """c-0 to c-3 were sent to review; c-0 alone, of day 9, is not in the period."""
    monkeypatch.setattr(listing, "STRETCH", 3)
    query = f"use_case=loan&lane=review&sort={sort}{period}"
    assert client.get(f"/decisions/?{query}").context["page"].partial
    found = ["c-1", "c-3", "c-2"] + ([] if period else ["c-0"])
    pages, _last = walk(client, query)
    assert [one for page in pages for one in page] == (found if sort == "oldest" else found[::-1])


def test_a_figure_orders_the_newest_of_one_use_case_by_when_they_were_made(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "WINDOW", 4)
    newest = expected(-1e6, 1e6, falls=True)[:4]
    surest = sorted(newest, key=lambda name: -int(name[2:]))
    assert walk(client, "use_case=loan&sort=sure")[0] == [surest]
    assert walk(client, "use_case=loan&sort=unsure")[0] == [surest[::-1]]


def test_the_newest_of_one_use_case_are_those_decided_last() -> None:
    rows = Decision.objects.filter(use_case="loan")
    found = newest_of(rows, 3, of_one_use_case=True).values_list("external_id", flat=True)
    assert set(found) == {"c-9", "c-6", "c-0"}
    assert newest_of(rows, 99, of_one_use_case=True).count() == len(DAYS)


def test_the_newest_are_as_many_as_asked_for_or_all() -> None:
    rows = Decision.objects.filter(lane="automatic")  # c-4 to c-9
    found = newest_of(rows, 4).order_by("pk").values_list("external_id", flat=True)
    assert list(found) == ["c-6", "c-7", "c-8", "c-9"]
    assert newest_of(rows, 6).count() == newest_of(rows, 7).count() == 6
