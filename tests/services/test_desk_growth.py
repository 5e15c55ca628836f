"""What a page of the desk asks of the database does not grow with what waits."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.workflow.desk.opening import open_next
from tests.services.desks import desk, person
from tests.services.gates import body, send

pytestmark = pytest.mark.django_db


def queries_of(client: Client, address: str) -> list[str]:
    """Of a process that has served the page before, with nothing kept in its cache."""
    client.get(address)
    cache.clear()
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    return [query["sql"].partition("(")[0][:60] for query in asked]


def test_the_case_and_the_queue_ask_no_more_where_more_waits() -> None:
    use_case, rex, client = desk(), person("rex"), Client()
    client.force_login(rex)
    send(use_case, *(body(f"old-{n}", "deny", 0.6) for n in range(30)), past=True)
    send(use_case, *(body(f"few-{n}", "deny", 0.6) for n in range(3)))
    opened = open_next(actor=rex.actor, person=rex)
    assert opened is not None
    pages = ("/desk/", f"/desk/case/{opened.task.pk}/")
    few = [queries_of(client, page) for page in pages]
    send(use_case, *(body(f"many-{n}", "deny", 0.6) for n in range(120)))
    many = [queries_of(client, page) for page in pages]
    assert [len(queries) for queries in many] == [len(queries) for queries in few], (few, many)
    assert all(few)


def test_a_claim_asks_no_more_where_more_waits() -> None:
    use_case, counts = desk(), []
    for number, more in enumerate((2, 120)):
        send(use_case, *(body(f"{number}-{n}", "deny", 0.6) for n in range(more)))
        first, second = person(f"a{number}"), person(f"b{number}")
        assert open_next(actor=first.actor, person=first)
        with CaptureQueriesContext(connection) as asked:
            assert open_next(actor=second.actor, person=second)
        counts.append(len(asked))
    assert counts[0] == counts[1]
