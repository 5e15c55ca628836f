"""The stop button: one person stops, another one resumes, and both are on record."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.services import service_key_create
from apps.common.actor import Actor
from apps.common.errors import ActorRequired, BadInput, Conflict, NotPermitted
from apps.notifications.models import OutboxEvent
from apps.registry.models import UseCase
from apps.registry.services import use_case_move
from apps.supervision.models import Stop
from apps.supervision.stops import resume, stop
from tests.services.oversight import LEAD, SECOND, at_once, loans


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
