"""What a claim asks of the database does not grow with what waits."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.workflow.desk.opening import open_next
from tests.services.desks import desk, person
from tests.services.gates import body, send

pytestmark = pytest.mark.django_db


def queries_of_a_claim(who: User) -> list[str]:
    with CaptureQueriesContext(connection) as asked:
        assert open_next(actor=who.actor, person=who)
    return [query["sql"] for query in asked]


def test_a_claim_asks_no_more_where_more_waits() -> None:
    use_case, people = desk(), [person(f"p{n}") for n in range(3)]
    counts = []
    for who, more in zip(people, (5, 1, 150), strict=True):
        send(use_case, *(body(f"{who.username}-{n}", "deny", 0.6) for n in range(more)))
        counts.append(len(queries_of_a_claim(who)))
    assert counts[1] == counts[2] <= counts[0]  # the first one fills what a process keeps
