"""Races at the gate between real processes on PostgreSQL: mandates, stops, rerouting, the ledger.

SQLite has one writer at a time: there each test says so and returns.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from apps.audit.models import Leaf, PendingRecord
from apps.audit.sealing import seal_all
from apps.audit.verification import verify
from apps.decisions.models import Decision, Payload
from apps.notifications.models import OutboxEvent
from apps.notifications.outbox import publish
from apps.registry.models import UseCase
from apps.supervision.mandates import mandate_issue
from apps.supervision.models import MandateCounter, MandateUse
from apps.supervision.stops import resume, stop
from tests.databases import server_connection
from tests.flows.processes import Group, group
from tests.services.gates import LEAD, SECOND, body, gate, send
from tests.tasks.workers import until

STOP_MS = 250  # what a stop may take while batches are being written


def one_writer() -> bool:
    """SQLite has one writer at a time: there is no race to be had."""
    return connection.vendor == "sqlite"


def sender(number: int, do: str, **more: Any) -> dict[str, Any]:
    return {"do": do, "name": f"s{number}", "use_case": "loan", **more}


def sum_of(said: list[dict[str, Any]], key: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for line in said:
        total.update(line[key])
    return total


def assert_recorded_once() -> None:
    """Each decision has its content and its history, and each change of status its event."""
    count = Decision.objects.count()
    assert Payload.objects.count() == count
    assert Decision.history.filter(history_type="+").count() == count
    events = OutboxEvent.objects.filter(type__startswith="decision.")
    told = Counter(events.values_list("decision", "type"))
    changes = Decision.history.exclude(status="pending").values_list("id", "status")
    assert told == Counter((key, f"decision.{status}") for key, status in changes)


def test_a_mandate_of_1000_releases_1000_under_eight_sending_processes(
    committed_db: Any, tmp_path: Path
) -> None:
    if one_writer():
        return
    gate(policy={"level": "HIC"})
    now = timezone.now()
    mandate_issue(
        actor=LEAD,
        use_case=UseCase.objects.get(),
        reason="watch",
        scope={"all": []},
        max_count=1000,
        valid_from=now,
        valid_to=now + timezone.timedelta(hours=1),
    )
    sizes = [5, 25, 125, 625] * 2
    jobs = [sender(n, "send_number", batch=size, count=625) for n, size in enumerate(sizes)]
    with group(tmp_path, *jobs) as senders:
        senders.start()
        said = senders.end()
    assert sum_of(said, "lanes") == {"automatic": 1000, "command": 4000}
    stored = Counter(Decision.objects.values_list("lane", "status"))
    assert stored == {("automatic", "released"): 1000, ("command", "pending"): 4000}
    assert MandateCounter.objects.get().count == MandateUse.objects.count() == 1000
    uses = set(MandateUse.objects.values_list("decision_id", flat=True))
    assert uses == set(Decision.objects.filter(lane="automatic").values_list("id", flat=True))
    assert_recorded_once()


def test_the_same_cases_in_opposite_order_make_one_decision_each(
    committed_db: Any, tmp_path: Path
) -> None:
    """Each sender waits for cases that the other holds: neither is refused, and none is lost."""
    if one_writer():
        return
    send(gate(), body("first"))
    ranges = [[0, 2000, 1], [1999, -1, -1]] * 2
    jobs = [sender(n, "send_named", range=each) for n, each in enumerate(ranges)]
    with group(tmp_path, *jobs) as senders:
        senders.start()
        said = senders.end()
    assert sum_of(said, "states") == {"accepted": 2000, "duplicate": 6000}
    assert Decision.objects.count() == 2001
    assert_recorded_once()


class Moved(NamedTuple):
    """A stop or a resumption: which records of decisions stood before it, and what it took."""

    before: set[int]
    began: float
    ended: float


def moved(action: Callable[..., Any], actor: Any) -> Moved:
    """Stop or resume; a second connection keeps the view that its transaction has at its end.

    Whoever holds the stop shared when this transaction gets it has committed by then.
    """
    with server_connection(connection.settings_dict["NAME"]) as watcher:
        watcher.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        began = time.monotonic()
        with transaction.atomic(), connection.cursor() as cursor:
            action(actor=actor, use_case=UseCase(slug="loan"), reason="drill")
            cursor.execute("SELECT pg_export_snapshot()")
            watcher.execute(f"SET TRANSACTION SNAPSHOT '{cursor.fetchone()[0]}'")
        ended = time.monotonic()
        rows = watcher.execute("SELECT history_id FROM decisions_historicaldecision").fetchall()
    return Moved({row[0] for row in rows}, began, ended)


def each_has_sent(senders: Group, names: list[str]) -> None:
    """Wait until each sender has had the answer to a call that began after now."""
    now = time.monotonic()

    def have() -> bool:
        return all(any(line["began"] > now for line in senders.said(name)) for name in names)

    until(have, "a whole call of every sender", 60)


def assert_blocked_within(spans: list[tuple[Moved, Moved]]) -> None:
    """What was committed between a stop and its resumption is blocked, and nothing else is."""
    expected = set().union(*(resumed.before - stopped.before for stopped, resumed in spans))
    blocked = set(Decision.history.filter(lane="blocked").values_list("history_id", flat=True))
    assert len(blocked) > 0
    assert blocked == expected


def assert_answered_blocked(said: list[dict[str, Any]], stopped: Moved, resumed: Moved) -> None:
    """Every call that began after the stop and was over before the resumption was told so."""
    within = [s for s in said if stopped.ended < s["began"] and s["returned"] < resumed.began]
    assert len({line["name"] for line in within}) == 4
    assert set(sum_of(within, "lanes")) == {"blocked"}


def test_after_a_stop_nothing_is_released_whatever_is_on_its_way(
    committed_db: Any, tmp_path: Path
) -> None:
    if one_writer():
        return
    send(gate(), body("first"))
    jobs = [sender(n, "send_on", batch=size) for n, size in enumerate([20, 20, 20, 5000])]
    names, spans = [job["name"] for job in jobs], []
    with group(tmp_path, *jobs) as senders:
        senders.start()
        each_has_sent(senders, names)
        for _round in range(2):
            stopped = moved(stop, LEAD)
            each_has_sent(senders, names)
            spans.append((stopped, moved(resume, SECOND)))
            each_has_sent(senders, names)
        said = senders.end()
    assert_blocked_within(spans)
    for span in spans:
        assert_answered_blocked(said, *span)
    took = [round((stopped.ended - stopped.began) * 1000) for stopped, _ in spans]
    assert max(took) < STOP_MS, f"the stops took {took} ms"
    assert_recorded_once()


def test_rerouting_moves_each_once_while_others_send_and_a_stop_halts_it(
    committed_db: Any, tmp_path: Path
) -> None:
    if one_writer():
        return
    case = gate()
    send(case, body("first"))
    first_stop = moved(stop, LEAD)
    send(case, *(body(f"withheld-{i}") for i in range(200)))
    spans = [(first_stop, moved(resume, SECOND))]
    jobs = [sender(n, "reroute", chunk=20) for n in range(2)]
    jobs += [sender(n, "send_on", batch=20) for n in range(2, 4)]
    with group(tmp_path, *jobs) as running:
        running.start()
        until(lambda: Decision.history.filter(history_type="~").exists(), "a chunk rerouted")
        stopped = moved(stop, LEAD)
        each_has_sent(running, ["s2", "s3"])
        until(lambda: running.said("s0") and running.said("s1"), "both halted by the stop")
        halted = [running.said(name)[0]["done"] for name in ("s0", "s1")]
        spans.append((stopped, moved(resume, SECOND)))
        each_has_sent(running, ["s2", "s3"])
        running.end()
    assert None in halted
    assert_blocked_within(spans)
    with group(tmp_path / "again", *(sender(n, "reroute", chunk=20) for n in range(3))) as again:
        again.start()
        again.end()
    assert_rerouted_once()
    assert_recorded_once()


def assert_rerouted_once() -> None:
    """No decision is blocked any more; those that were have one record more, and one only."""
    assert not Decision.objects.filter(lane="blocked").exists()
    assert Decision.objects.exclude(lane="automatic", status="released").count() == 0
    blocked = Decision.history.filter(lane="blocked").values_list("id", flat=True)
    changed = Decision.history.filter(history_type="~").values_list("id", flat=True)
    assert sorted(changed) == sorted(blocked)


def test_sealers_relays_and_senders_at_once_leave_one_leaf_and_one_number_each(
    committed_db: Any, tmp_path: Path
) -> None:
    if one_writer():
        return
    send(gate(), body("first"))
    jobs = [sender(n, "seal", batch=size) for n, size in enumerate([50, 300])]
    jobs += [sender(n, "publish", batch=size) for n, size in enumerate([40, 200], 2)]
    jobs += [sender(n, "send_on", batch=size) for n, size in enumerate([3, 100], 4)]
    with group(tmp_path, *jobs) as running:
        running.start()
        until(lambda: all(len(running.said(name)) >= 20 for name in ("s4", "s5")), "20 batches", 60)
        until(lambda: worked(running, 5), "five rounds of work of every sealer and relay", 60)
        running.end()
    while publish():
        pass
    numbers = list(OutboxEvent.objects.order_by("seq").values_list("seq", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert_recorded_once()
    seal_all()
    indexes = list(Leaf.objects.order_by("index").values_list("index", flat=True))
    assert indexes == list(range(len(indexes)))
    assert not PendingRecord.objects.exists()
    result = verify(full=True)
    assert (result.ok, result.findings) == (True, [])


def worked(running: Group, rounds: int) -> bool:
    """Each sealer and relay found something to do so many times."""
    names = ("s0", "s1", "s2", "s3")
    return all(sum(1 for line in running.said(n) if line["done"]) >= rounds for n in names)
