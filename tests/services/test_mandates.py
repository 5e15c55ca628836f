"""Mandates: issued within stated limits, used exactly, ended by revocation or time."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from threading import Event
from time import sleep
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.common.errors import ActorRequired, BadInput, Conflict
from apps.common.ids import uuid7
from apps.registry.models import UseCase
from apps.registry.services import use_case_update
from apps.supervision.mandates import mandate_issue, mandate_revoke, mandates_take
from apps.supervision.models import Mandate, MandateCounter, MandateUse
from apps.supervision.selectors import (
    counter_differences,
    mandate_account,
    mandates_as_issued,
    mandates_in_force,
)
from tests.services.oversight import EVERYTHING, LEAD, at_once, loans

HOUR = timedelta(hours=1)


def issue(use_case: UseCase, **data: Any) -> Mandate:
    given_data = {"scope": EVERYTHING, "valid_to": timezone.now() + HOUR, "reason": "agreed"}
    return mandate_issue(actor=LEAD, use_case=use_case, **{**given_data, **data})


def take(mandate: Mandate, *amounts: str | None) -> None:
    uses = [
        (mandate.pk, uuid7(), None if amount is None else Decimal(amount)) for amount in amounts
    ]
    mandates_take(mandate.use_case_id, uses)


# --- Issue ----------------------------------------------------------------------------------


def test_a_mandate_is_stored_as_it_was_issued_with_nothing_used(db: None, make_person: Any) -> None:
    ann, now = make_person("ann", "commander"), timezone.now()
    made = mandate_issue(
        actor=ann.actor,
        use_case=loans(),
        scope={"field": "amount", "op": "<=", "value": "5000"},
        max_count=100,
        max_amount="25000.50",
        valid_from=now + HOUR,
        valid_to=now + 2 * HOUR,
        name="small loans",
        reason="agreed in the board",
    )
    stored = Mandate.objects.get()
    assert stored.scope == {"field": "amount", "op": "<=", "value": "5000.00"}
    assert (stored.max_count, stored.max_amount) == (100, Decimal("25000.5"))
    assert (stored.issued_by, stored.name) == (ann, "small loans")
    assert Mandate.history.get().history_change_reason == "agreed in the board"
    account = mandate_account(made, now)
    assert (account.state, account.used_count, account.left_count) == ("scheduled", 0, 100)
    assert account.left_amount == Decimal("25000.5")


def test_without_limits_a_mandate_holds_until_its_time_is_over(db: None) -> None:
    made = issue(loans())
    assert (made.max_count, made.max_amount, made.issued_by) == (None, None, None)
    (left,) = mandates_in_force("loan-approval", timezone.now())
    assert (left.left_count, left.left_amount) == (None, None)


FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no scope": ({"scope": None}, ["/scope"]),
    "a scope that is no condition": ({"scope": {}}, ["/scope/field", "/scope/op"]),
    "a field that is not there": (
        {"scope": {"all": [{"field": "feature.age", "op": ">", "value": 1}]}},
        ["/scope/all/0/field"],
    ),
    "text that cannot be stored": (
        {"scope": {"field": "feature.region", "op": "==", "value": "a\x00"}},
        ["/scope/value"],
    ),
    "a count of none": ({"max_count": 0}, ["/max_count"]),
    "a count that is true": ({"max_count": True}, ["/max_count"]),
    "a count in words": ({"max_count": "5"}, ["/max_count"]),
    "a count beyond any": ({"max_count": 10**19}, ["/max_count"]),
    "an amount of nothing": ({"max_amount": "0"}, ["/max_amount"]),
    "an amount below nothing": ({"max_amount": "-1"}, ["/max_amount"]),
    "an amount in words": ({"max_amount": "much"}, ["/max_amount"]),
    "an amount that is no number": ({"max_amount": "NaN"}, ["/max_amount"]),
    "an amount without quotes": ({"max_amount": 1.5}, ["/max_amount"]),
    "an amount too fine": ({"max_amount": "0.00001"}, ["/max_amount"]),
    "an amount too large": ({"max_amount": "1e15"}, ["/max_amount"]),
    "a name too long": ({"name": "n" * 201}, ["/name"]),
    "a name that is no text": ({"name": 5}, ["/name"]),
    "an end without a zone": ({"valid_to": datetime(2099, 1, 1)}, ["/valid_to"]),
    "several at once": (
        {"scope": None, "max_count": 0, "max_amount": "0"},
        ["/max_amount", "/max_count", "/scope"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_mandate_is_refused_by_its_pointers(db: None, name: str) -> None:
    data, pointers = FAULTS[name]
    with pytest.raises(BadInput) as refusal:
        issue(loans(), **data)
    assert sorted(fault.pointer for fault in refusal.value.errors) == pointers
    assert not Mandate.objects.exists()


def test_a_mandate_ends_after_it_begins_and_not_in_the_past(db: None) -> None:
    use_case, now = loans(), timezone.now()
    for begin, end, words in (
        (now + HOUR, now + HOUR, "is not after valid_from"),
        (now - 2 * HOUR, now - HOUR, "lies in the past"),
    ):
        with pytest.raises(BadInput, match=words) as refusal:
            issue(use_case, valid_from=begin, valid_to=end)
        assert [fault.pointer for fault in refusal.value.errors] == ["/valid_to"]


def test_to_issue_and_to_revoke_need_an_actor_and_a_reason(db: None) -> None:
    use_case = loans()
    made = issue(use_case)
    with pytest.raises(ActorRequired):
        mandate_revoke(actor=None, mandate=made, reason="r")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="reason"):
        mandate_revoke(actor=LEAD, mandate=made, reason=" ")
    with pytest.raises(BadInput, match="reason"):
        issue(use_case, reason="")


# --- Revocation -----------------------------------------------------------------------------


def test_a_revoked_mandate_is_in_force_no_more_and_revoked_once(db: None) -> None:
    made = issue(loans())
    revoked = mandate_revoke(actor=LEAD, mandate=made, reason="over-used")
    assert Mandate.history.latest().history_change_reason == "over-used"
    assert mandates_in_force("loan-approval", timezone.now()) == ()
    assert mandate_account(revoked, timezone.now()).state == "revoked"
    with pytest.raises(Conflict, match="was revoked at"):
        mandate_revoke(actor=LEAD, mandate=made, reason="r")


def test_a_mandate_that_is_over_is_not_revoked(db: None, monkeypatch: Any) -> None:
    made = issue(loans())
    monkeypatch.setattr(timezone, "now", lambda: made.valid_to)
    with pytest.raises(Conflict, match="was over at"):
        mandate_revoke(actor=LEAD, mandate=made, reason="r")


# --- In force -------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", [False, True])
def test_mandates_are_in_force_from_their_first_moment_to_before_their_last(
    db: None, lock: bool
) -> None:
    use_case, now = loans(), timezone.now()
    begin, end = now + HOUR, now + 2 * HOUR
    issue(use_case, valid_from=begin, valid_to=end)
    tick = timedelta(microseconds=1)
    moments = (begin - tick, begin, end - tick, end)
    found = [len(mandates_in_force(use_case.slug, at, lock=lock)) for at in moments]
    assert found == [0, 1, 1, 0]


@pytest.mark.parametrize("lock", [False, True])
def test_mandates_come_in_the_order_of_their_issue_with_what_is_left(db: None, lock: bool) -> None:
    use_case = loans()
    first = issue(use_case, max_count=3, name="first")
    second = issue(use_case, max_amount="10", name="second")
    issue(loans(slug="fraud"))
    take(first, None, "2.5")
    take(second, "2.5")
    found = mandates_in_force(use_case.slug, timezone.now(), lock=lock)
    assert [(m.id, m.name, m.left_count, m.left_amount) for m in found] == [
        (str(first.pk), "first", 1, None),
        (str(second.pk), "second", None, Decimal("7.5")),
    ]


def test_the_mandates_of_a_replay_are_whole_again_even_when_revoked(db: None) -> None:
    made = issue(loans(), max_count=3)
    take(made, None)
    mandate_revoke(actor=LEAD, mandate=made, reason="r")
    (issued,) = mandates_as_issued([made.pk])
    assert (issued.id, issued.left_count) == (str(made.pk), 3)


def test_the_price_of_the_mandates_does_not_grow_with_their_number(db: None) -> None:
    use_case = loans()
    prices = []
    for _ in range(2):
        for _ in range(5):
            issue(use_case)
        with CaptureQueriesContext(connection) as seen:
            mandates_in_force(use_case.slug, timezone.now(), lock=True)
        prices.append(len(seen))
    assert prices[0] == prices[1] <= 3


# --- Use ------------------------------------------------------------------------------------


def test_each_use_is_a_row_and_the_counter_is_their_sum(db: None) -> None:
    made = issue(loans(), max_count=5, max_amount="100")
    decision = uuid7()
    mandates_take("loan-approval", [(str(made.pk), decision, Decimal("0.1"))])
    take(made, "0.2", None)
    counter = MandateCounter.objects.get()
    assert (counter.count, counter.amount) == (3, Decimal("0.3"))
    first = MandateUse.objects.order_by("pk").first()
    assert (first.mandate_id, first.decision_id, first.amount) == (
        made.pk,
        decision,
        Decimal("0.1"),
    )
    assert counter_differences() == []


def test_what_goes_beyond_a_limit_is_a_conflict_and_leaves_nothing(db: None) -> None:
    by_count, by_amount = issue(loans(), max_count=1), issue(loans(slug="b"), max_amount="1")
    for mandate, amounts in ((by_count, ("1", "1")), (by_amount, ("0.5", "0.5001"))):
        with pytest.raises(Conflict, match="has not so much left"), transaction.atomic():
            take(mandate, *amounts)
    assert not MandateUse.objects.exists()
    take(by_amount, "0.5", "0.5")
    assert mandate_account(_again(by_amount), timezone.now()).state == "used_up"


def _again(mandate: Mandate) -> Mandate:
    found: Mandate = Mandate.objects.select_related("counter").get(pk=mandate.pk)
    return found


def test_a_counter_that_is_not_the_sum_of_its_uses_is_found(db: None) -> None:
    made = issue(loans())
    take(made, "1")
    MandateCounter.objects.filter(pk=made.pk).update(count=2)
    (difference,) = counter_differences()
    assert (difference.mandate, difference.counted, difference.summed) == (
        made.pk,
        (2, Decimal(1)),
        (1, Decimal(1)),
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    batches=st.lists(
        st.lists(
            st.none() | st.decimals("0", "9", places=4, allow_nan=False), min_size=1, max_size=4
        ),
        max_size=6,
    )
)
def test_counters_equal_their_uses_and_stay_within_their_limits_whatever_is_taken(
    db: None, batches: list[list[Decimal | None]]
) -> None:
    slug = f"case-{uuid7()}"
    made = issue(loans(slug=slug), max_count=8, max_amount="20")
    for batch in batches:
        try:
            with transaction.atomic():
                mandates_take(slug, [(made.pk, uuid7(), amount) for amount in batch])
        except Conflict:
            continue
    account = mandate_account(_again(made), timezone.now())
    assert account.used_count <= 8
    assert account.used_amount <= 20
    assert counter_differences() == []


# --- The guard ------------------------------------------------------------------------------


def test_a_use_case_keeps_what_a_mandate_names(db: None) -> None:
    made = issue(loans(), name="poor", scope={"field": "feature.income", "op": "<", "value": 1000})
    change = {"features": [{"name": "region", "type": "category"}], "reason": "r"}
    with pytest.raises(BadInput, match="the mandate poor would no longer hold: /scope/field"):
        use_case_update(actor=LEAD, slug="loan-approval", **change)
    mandate_revoke(actor=LEAD, mandate=made, reason="r")
    assert len(use_case_update(actor=LEAD, slug="loan-approval", **change).features) == 1


# --- At once --------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [{"max_count": 10}, {"max_amount": "10"}])
def test_takers_at_once_who_lock_use_a_mandate_up_exactly(
    committed_db: Any, limit: dict[str, Any]
) -> None:
    made = issue(loans(), **limit)

    def taker(_: int) -> int:
        taken = 0
        for _ in range(6):
            with transaction.atomic():
                (left,) = mandates_in_force("loan-approval", timezone.now(), lock=True)
                room = left.left_count if left.left_amount is None else int(left.left_amount)
                wanted = min(2, room or 0)
                if wanted:
                    take(made, *["1"] * wanted)
                taken += wanted
        return taken

    assert sum(at_once(4, taker)) == 10
    counter = MandateCounter.objects.get()
    assert (counter.count, counter.amount) == (10, Decimal(10))
    assert counter_differences() == []


def test_takers_at_once_who_do_not_lock_never_exceed_a_mandate(committed_db: Any) -> None:
    made = issue(loans(), max_count=2)
    results = at_once(4, lambda _: take(made, "1"))
    assert sorted(map(str, results)) == ["Conflict", "Conflict", "None", "None"]
    assert counter_differences() == []


def test_a_revocation_waits_for_those_who_are_taking_and_nobody_takes_after_it(
    committed_db: Any,
) -> None:
    made, taking = issue(loans()), Event()

    def taker() -> None:
        with transaction.atomic():
            mandates_in_force("loan-approval", timezone.now(), lock=True)
            taking.set()
            sleep(0.3)
            take(made, "1")

    def revoker() -> None:
        taking.wait(timeout=20)
        mandate_revoke(actor=LEAD, mandate=made, reason="r")

    assert at_once(2, lambda number: (taker, revoker)[number]()) == [None, None]
    revoked_at = Mandate.objects.get().revoked_at
    assert MandateUse.objects.get().at <= revoked_at
    assert mandates_in_force("loan-approval", timezone.now(), lock=False) == ()
