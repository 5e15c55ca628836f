"""The stop button: one person stops, another one resumes, and both are on record."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from apps.accounts.services import service_key_create
from apps.common.actor import Actor
from apps.common.errors import ActorRequired, BadInput, Conflict, NotPermitted
from apps.decisions.models import Decision
from apps.notifications.models import OutboxEvent
from apps.policies.models import PolicyVersion
from apps.policies.seeds import stored_seed
from apps.policies.services import policy_approve
from apps.registry.models import UseCase
from apps.registry.services import use_case_move
from apps.supervision.models import Stop
from apps.supervision.stops import resume, stop
from apps.workflow import batch, intake
from apps.workflow.batch import Counts, take_batch
from tests.services.gates import SENDER, arrivals, body
from tests.services.oversight import LEAD, SECOND, at_once, in_force, loans, proposed


@pytest.mark.parametrize("lifecycle", ["draft", "pilot", "live"])
def test_a_stop_suspends_and_a_resume_leads_back_to_where_it_was(db: None, lifecycle: str) -> None:
    use_case = loans(lifecycle=lifecycle)
    made = stop(actor=LEAD, use_case=use_case, reason="odd figures")
    assert (made.lifecycle_before, made.stopped_by) == (lifecycle, "command:lead")
    assert UseCase.objects.get().lifecycle == "suspended"
    ended = resume(actor=SECOND, use_case=use_case, reason="explained", withheld="reroute")
    assert (ended.pk, ended.resumed_by, ended.withheld) == (made.pk, "command:second", "reroute")
    assert UseCase.objects.get().lifecycle == lifecycle


def test_stop_and_resume_are_recorded_with_their_reasons_and_told(db: None) -> None:
    use_case = loans()
    stop(actor=LEAD, use_case=use_case, reason=" odd figures ")
    resume(actor=SECOND, use_case=use_case, reason="explained")
    for history in (Stop.history, UseCase.history):
        newest = list(history.order_by("history_id"))[-2:]
        assert [row.history_change_reason for row in newest] == ["odd figures", "explained"]
        assert [row.history_user_name for row in newest] == ["lead", "second"]
    types = OutboxEvent.objects.order_by("created_at").values_list("type", "use_case")
    assert list(types) == [
        ("use_case.suspended", "loan-approval"),
        ("use_case.resumed", "loan-approval"),
    ]


def test_what_is_suspended_is_not_stopped_again(db: None) -> None:
    use_case = loans()
    stop(actor=LEAD, use_case=use_case, reason="r")
    with pytest.raises(Conflict, match="suspended already"):
        stop(actor=SECOND, use_case=use_case, reason="r")
    assert Stop.objects.count() == OutboxEvent.objects.count() == 1


def test_what_is_retired_is_not_stopped(db: None) -> None:
    use_case = use_case_move(actor=LEAD, slug=loans().slug, to="retired", reason="r")
    with pytest.raises(Conflict, match="retired already"):
        stop(actor=LEAD, use_case=use_case, reason="r")


def test_what_runs_is_not_resumed(db: None) -> None:
    with pytest.raises(Conflict, match="is live, not suspended"):
        resume(actor=SECOND, use_case=loans(), reason="r")


def test_what_was_retired_while_suspended_is_not_resumed(db: None) -> None:
    use_case = loans()
    stop(actor=LEAD, use_case=use_case, reason="r")
    use_case_move(actor=LEAD, slug=use_case.slug, to="retired", reason="r")
    with pytest.raises(Conflict, match="is retired, not suspended"):
        resume(actor=SECOND, use_case=use_case, reason="r")


def test_the_one_who_stopped_does_not_resume(db: None, make_person: Any) -> None:
    use_case, ann = loans(), make_person("ann")
    stop(actor=ann.actor, use_case=use_case, reason="r")
    key, _secret = service_key_create(actor=LEAD, name="robot", role="risk_lead")
    for hand in (ann.actor, Actor.command("ann"), key.actor):
        with pytest.raises(NotPermitted, match="takes another person") as refusal:
            resume(actor=hand, use_case=use_case, reason="r")
        assert (refusal.value.action, refusal.value.use_case) == (
            "use_case.resume",
            "loan-approval",
        )
    assert UseCase.objects.get().lifecycle == "suspended"
    resume(actor=make_person("ben").actor, use_case=use_case, reason="r")
    assert UseCase.objects.get().lifecycle == "live"


def test_what_the_system_stopped_anyone_may_resume(db: None, make_person: Any) -> None:
    use_case = loans()
    stop(actor=Actor.system("tripwires"), use_case=use_case, reason="accuracy 0.71 < 0.8")
    resume(actor=make_person("tripwires").actor, use_case=use_case, reason="r")
    assert UseCase.objects.get().lifecycle == "live"


def test_each_stop_is_a_row_of_its_own(db: None) -> None:
    use_case = loans()
    for _ in range(2):
        stop(actor=LEAD, use_case=use_case, reason="r")
        resume(actor=SECOND, use_case=use_case, reason="r")
    assert Stop.objects.count() == 2


@pytest.mark.parametrize("reason", ["", " ", None, 7, "a\x00b"])
def test_stop_and_resume_need_a_reason(db: None, reason: Any) -> None:
    use_case = loans()
    with pytest.raises(BadInput) as refusal:
        stop(actor=LEAD, use_case=use_case, reason=reason)
    assert [fault.pointer for fault in refusal.value.errors] == ["/reason"]
    stop(actor=LEAD, use_case=use_case, reason="r")
    with pytest.raises(BadInput):
        resume(actor=SECOND, use_case=use_case, reason=reason)


def test_what_becomes_of_the_withheld_is_one_of_two_words(db: None) -> None:
    use_case = loans()
    stop(actor=LEAD, use_case=use_case, reason="r")
    with pytest.raises(BadInput) as refusal:
        resume(actor=SECOND, use_case=use_case, reason="r", withheld="forget")
    assert [fault.pointer for fault in refusal.value.errors] == ["/withheld"]


def test_stop_and_resume_need_an_actor(db: None) -> None:
    use_case = loans()
    with pytest.raises(ActorRequired):
        stop(actor=None, use_case=use_case, reason="r")  # type: ignore[arg-type]
    stop(actor=LEAD, use_case=use_case, reason="r")
    with pytest.raises(ActorRequired):
        resume(actor=None, use_case=use_case, reason="r")  # type: ignore[arg-type]


def test_of_two_who_stop_at_once_one_does(committed_db: Any) -> None:
    use_case = loans()
    results = at_once(
        2, lambda number: stop(actor=(LEAD, SECOND)[number], use_case=use_case, reason="r").pk
    )
    assert results.count("Conflict") == 1
    assert Stop.objects.count() == OutboxEvent.objects.count() == 1
    assert UseCase.objects.get().lifecycle == "suspended"


def test_of_two_who_resume_at_once_one_does(committed_db: Any) -> None:
    use_case = loans()
    stop(actor=LEAD, use_case=use_case, reason="r")
    results = at_once(
        2,
        lambda number: resume(actor=Actor.command(f"b-{number}"), use_case=use_case, reason="r").pk,
    )
    assert results.count("Conflict") == 1
    assert UseCase.objects.get().lifecycle == "live"


# --- Beside a batch that is being written -----------------------------------------------------

STOP_S = 1.0  # what a stop may take while the transaction of a batch is open elsewhere


class _Deaf:
    """Nobody hears what became of the lines."""

    def restart(self) -> None: ...

    def line(self, line: int, taken: Any) -> None: ...


def _whole_batch(use_case: UseCase) -> Counts:
    lines = "".join(
        json.dumps({**body(f"c{n}"), "use_case": use_case.slug}) + "\n" for n in range(50)
    )
    return take_batch(
        actor=SENDER, source=io.BytesIO(lines.encode()), find=lambda _: use_case, told=_Deaf()
    )


def _one_call(use_case: UseCase) -> Counts:
    taken = intake.take_in(
        actor=SENDER,
        use_case=use_case.slug,
        arrivals=arrivals(use_case, *(body(f"c{n}") for n in range(50))),
    )
    counts = Counts(lanes=None)
    for one in taken:
        counts.add(one)
    return counts


@pytest.mark.parametrize("due", [False, True], ids=["makes the seed", "activates a policy"])
@pytest.mark.parametrize("send", [_whole_batch, _one_call])
def test_a_stop_waits_for_no_batch_that_first_had_to_write_of_the_use_case_itself(
    committed_db: Any, monkeypatch: Any, send: Callable[[UseCase], Counts], due: bool
) -> None:
    """The batch makes the year's seed, and puts a policy into force whose moment has come: both
    need the lock that a stop needs. With all of it written and its transaction open, the stop is
    there within a second, and the batch that it overtook is routed anew."""
    if connection.vendor == "sqlite":
        return  # one writer at a time: a stop waits for whoever writes
    use_case = loans()
    in_force(use_case)
    if due:
        soon = timezone.now() + timedelta(seconds=0.2)
        policy_approve(actor=SECOND, policy=proposed(use_case, audit_rate=0.5), effective_from=soon)
        time.sleep(0.3)
    assert stored_seed(use_case.slug, timezone.now().year) is None
    written, may_end, done = Event(), Event(), list[Counts]()

    def held_open(module: Any) -> None:
        kept = module.read_stop_again

        def wait_first(stands: Any) -> None:
            if not written.is_set():
                written.set()
                assert may_end.wait(30)
            kept(stands)

        monkeypatch.setattr(module, "read_stop_again", wait_first)

    held_open(batch)
    held_open(intake)

    def sender() -> None:
        try:
            done.append(send(use_case))
        finally:
            connections.close_all()

    thread = Thread(target=sender)
    thread.start()
    try:
        assert written.wait(30), "the batch never came to its last step"
        began = time.monotonic()
        stop(actor=LEAD, use_case=use_case, reason="odd figures")
        took = time.monotonic() - began
    finally:
        may_end.set()
        thread.join(60)
    assert took < STOP_S, f"the stop took {took:.2f} s"
    assert done[0].accepted == 50
    assert set(Decision.objects.values_list("lane", "status")) == {("blocked", "withheld")}
    assert Decision.objects.count() == 50
    active = PolicyVersion.objects.get(status="active")
    assert active.number == (2 if due else 1)
    assert stored_seed(use_case.slug, timezone.now().year) is not None
