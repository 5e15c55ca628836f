"""Which pages and dashboards are asked for, each with the filters that people set."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from benchmarks.pages_steps import IN_COMMAND, LIMITED, MAIN, ON_THE_LOOP, OTHERS, SINGLE

DASHBOARDS = ("executive", "accuracy", "fairness", "drift", "people", "oversight", "trail")
TEN_YEARS = 3_653


class Asked(NamedTuple):
    """One request: its name in the results, who asks, and how. ``body``: what a callback is sent."""

    name: str
    who: str
    address: str
    body: str = ""


def pages(who: str) -> Iterator[Asked]:
    """Every page with its usual filters; addresses stand for what the database holds."""
    for address in _addresses(who):
        yield Asked(f"{address} ({who})", who, address)


def _addresses(who: str) -> Iterator[str]:
    yield from PLAIN if who != LIMITED else LIMITED_PLAIN
    use_case = OTHERS[0] if who == LIMITED else MAIN
    yield f"/use-cases/{use_case}/"
    yield f"/use-cases/{use_case}/policies/"
    yield f"/use-cases/{use_case}/policies/1/"
    yield from _of_decisions(use_case)
    yield from _of_records(use_case)
    yield from _of_tasks(use_case)
    yield from _of_rows(use_case, who)


PLAIN = (
    "/",
    "/desk/",
    "/desk/team/",
    "/desk/team/tasks/",
    "/desk/team/people/",
    "/desk/team/known/",
    "/decisions/",
    "/supervision/",
    "/supervision/stops/",
    "/supervision/command/",
    "/supervision/mandates/",
    f"/supervision/?use_case={ON_THE_LOOP}",
    "/supervision/?page=2",
    f"/supervision/command/?use_case={IN_COMMAND}",
    "/policies/",
    "/use-cases/",
    f"/use-cases/{SINGLE}/",
    "/alerts/",
    "/alerts/?status=open",
    "/alerts/?status=resolved&page=5",
    "/alerts/limits/",
    "/audit/",
    "/audit/health/",
    "/audit/exports/",
    "/people/",
    "/people/?q=reviewer-3",
    "/people/?role=reviewer&page=2",
    "/keys/",
    "/settings/",
    "/admin/",
    "/search/?q=nothing-of-the-kind",
    "/search/?q=reviewer",
    *(f"/dashboards/{slug}/" for slug in DASHBOARDS),
)
LIMITED_PLAIN = (
    "/",
    "/desk/",
    "/desk/team/",
    "/desk/team/tasks/",
    "/desk/team/people/",
    "/decisions/",
    "/use-cases/",
    "/alerts/",
    "/audit/",
    "/supervision/",
)


def _of_decisions(use_case: str) -> Iterator[str]:
    from apps.decisions.models import Decision

    keys = Decision.objects.filter(use_case=use_case).order_by("pk").values_list("pk", flat=True)
    middle = keys[keys.count() // 2]
    of = {"use_case": use_case}
    week = {"begin": _days_ago(40), "end": _days_ago(33)}
    for asked in (
        of,
        {**of, "status": "pending"},
        {**of, "lane": "review"},
        {**of, "lane": "blocked"},
        {"status": "pending"},
        {"lane": "review"},
        {"lane": "blocked"},
        {"status": "withheld", "lane": "automatic"},
        {"label": "approve"},
        {"label": "no such label"},
        {"model_version": "1"},
        {"model_version": "9"},
        week,
        {**of, **week, "lane": "review"},
        {**week, "sort": "oldest", "status": "pending"},
        {"begin": "2001-01-01T00:00", "end": "2001-02-01T00:00"},
        {"sort": "oldest"},
        {"sort": "unsure"},
        {**of, "sort": "amount"},
        {"sort": "sure", "status": "released", **week},
        {"after": middle},
        {"before": middle, **of},
        {"after": middle, "lane": "review"},
        {"q": f"{use_case}-1"},
        {"q": "no-such-case"},
        {**of, "q": "99"},
    ):
        yield f"/decisions/?{urlencode(asked)}"
    rows = Decision.objects.filter(use_case=use_case)
    for lane, status in (("review", "released"), ("review", "pending"), ("automatic", "released")):
        found = rows.filter(lane=lane, status=status).order_by("-pk").first()
        yield f"/decisions/{found.pk}/"
    yield f"/search/?q={rows.order_by('-pk').first().external_id}"
    yield "/search/?q=-77"


def _of_records(use_case: str) -> Iterator[str]:
    from apps.accounts.models import User
    from apps.audit.models import Leaf

    size = Leaf.objects.order_by("-index").first().index
    reviewer = User.objects.get(username="reviewer-3").pk
    mine = Leaf.objects.filter(use_case=use_case, index__gte=size // 2).order_by("index").first()
    yield f"/audit/{mine.index}/"
    for asked in (
        {"before": size // 2},
        {"after": size // 2},
        {"type": "decision"},
        {"type": "policy_version"},
        {"type": "mandate"},
        {"type": "review", "use_case": use_case},
        {"use_case": use_case},
        {"use_case": use_case, "before": size // 2},
        {"actor": reviewer},
        {"actor": "nobody"},
        {"begin": _days_ago(2), "end": _days_ago(-1)},
        {"begin": _days_ago(900), "end": _days_ago(800)},
        {"type": "person", "begin": _days_ago(2), "end": _days_ago(-1)},
    ):
        yield f"/audit/?{urlencode(asked)}"


def _of_tasks(use_case: str) -> Iterator[str]:
    from apps.reviews.models import ReviewTask

    task = ReviewTask.objects.filter(use_case=use_case, status="open").order_by("pk").first()
    yield f"/desk/team/tasks/{task.pk}/"
    yield f"/desk/team/tasks/?of={use_case}"
    yield f"/desk/team/tasks/?case={task.decision.external_id}"
    yield "/desk/team/tasks/?person=reviewer-3"
    yield "/desk/team/tasks/?page=3"
    for state in ("free", "held", "given", "asked", "risk", "overdue"):
        yield f"/desk/team/tasks/?state={state}"


def _of_rows(use_case: str, who: str) -> Iterator[str]:
    from apps.accounts.models import User
    from apps.metrics.models import Alert

    if who != LIMITED:
        yield f"/alerts/{Alert.objects.order_by('-pk').first().pk}/"
        yield f"/people/{User.objects.get(username='reviewer-3').pk}/"
        yield f"/desk/team/known/?of={use_case}"


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M")


def tables(who: str) -> Iterator[Asked]:
    """The view as CSV, the most that one holds."""
    for query in ("", f"?use_case={MAIN}&lane=review", "?sort=amount"):
        address = f"/decisions/decisions.csv{query}"
        yield Asked(f"{address} ({who})", who, address)


def figures(who: str) -> Iterator[Asked]:
    """What each dashboard's page asks for: as it opens, narrowed, and at the edges."""
    today = datetime.now(UTC).date()
    month = {"from": _day(today, 60), "to": _day(today, 31)}  # settled in both databases
    narrowed: dict[str, dict[str, str]] = {
        "as it opens": {},
        "of one use case": {"use_case": MAIN},
        "a month": {"use_case": MAIN, **month},
        "a version": {"use_case": MAIN, "version": "scorer 1"},
        "a group": {"use_case": MAIN, "group": "sex=F"},
        "ten years": {"use_case": MAIN, "from": _day(today, TEN_YEARS), "to": _day(today, 0)},
        "nothing": {"use_case": MAIN, "from": "2001-01-01", "to": "2001-03-31"},
        "one decision": {"use_case": SINGLE},
    }
    for slug in DASHBOARDS:
        for name, asked in narrowed.items():
            address = f"/dashboards/{slug}/_dash-update-component"
            yield Asked(f"{slug}: {name}", who, address, _body(urlencode(asked)))


def _day(today: date, ago: int) -> str:
    return (today - timedelta(days=ago)).isoformat()


def _body(search: str) -> str:
    return json.dumps(
        {
            "output": "content.children",
            "outputs": {"id": "content", "property": "children"},
            "inputs": [
                {"id": "at", "property": "search", "value": f"?{search}" if search else ""},
                {"id": "theme", "property": "data", "value": "light"},
            ],
            "changedPropIds": ["at.search"],
        }
    )


ASKED: dict[str, Callable[[str], Iterator[Asked]]] = {
    "pages": pages,
    "tables": tables,
    "figures": figures,
}


# --- Asking ---------------------------------------------------------------------------------

VALUES = [
    (re.compile(r"'[^']*'(::\w+)?"), "?"),
    (re.compile(r"\b\d+(\.\d+)?\b"), "?"),
    (re.compile(r"\?(, \?)+"), "?"),
]


class Asking:
    """Some requests, each sent as often as it is told to: see ``pages_steps.answer``."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._asked = asked
        self._senders = [_sender(one) for one in asked]

    def names(self) -> list[str]:
        return [one.name for one in self._asked]

    def queries(self, place: int) -> dict[str, int]:
        """How often one answer sends each query, without its values; after a warm-up."""
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        self._senders[place]()
        with CaptureQueriesContext(connection) as seen:
            self._senders[place]()
        return Counter(_shape(one["sql"]) for one in seen.captured_queries)

    def once(self, place: int) -> dict[str, float]:
        """``ms`` of one answer, ``cpu_ms`` of this process; ``rows`` of a table to take away, of
        anything else 1."""
        seconds, busy, rows = self._senders[place]()
        return {"ms": 1000 * seconds, "cpu_ms": 1000 * busy, "rows": rows}


def _shape(sql: str) -> str:
    """A query without its values, however many a list has."""
    for pattern, said in VALUES:
        sql = pattern.sub(said, sql)
    return hashlib.sha256(sql.encode()).hexdigest()[:16]


def _sender(asked: Asked) -> Callable[[], tuple[float, float, int]]:
    """Sends the request and returns its seconds, this process's own, and the rows of a table.

    What the process keeps is thrown away before.
    """
    from django.core.cache import cache
    from django.test import Client

    from apps.accounts.models import User
    from dashboards import reading

    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username=asked.who))

    def send() -> tuple[float, float, int]:
        cache.clear()
        reading.forget()
        began, worked = time.perf_counter(), time.process_time()
        if asked.body:
            answer = client.post(asked.address, asked.body, content_type="application/json")
        else:
            answer = client.get(asked.address)
        seconds = time.perf_counter() - began, time.process_time() - worked
        assert answer.status_code in (200, 302), (asked.name, answer.status_code)
        is_table = answer.headers["Content-Type"].startswith("text/csv")
        return *seconds, answer.content.count(b"\n") if is_table else 1

    return send
