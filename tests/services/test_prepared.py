"""Queries compiled once give what the ORM gives, for each value anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import RoleGrant
from apps.common.prepared import Prepared
from apps.policies.models import PolicyVersion
from apps.registry.models import ModelVersion
from apps.reviews.models import ReviewTask, Seat
from tests.services.desks import case, desk

pytestmark = pytest.mark.django_db
DENY = {"label": "deny", "confidence": 0.5}


@pytest.fixture
def seats() -> list[Seat]:
    """Two free seats, of two cases."""
    use_case = desk()
    for name in ("a", "b"):
        case(use_case, name, **DENY)
    return list(Seat.objects.order_by("pk"))


def columns(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_instances_are_those_of_the_orm_with_what_they_point_to(seats: list[Seat]) -> None:
    asked = Prepared(
        lambda key: Seat.objects.filter(pk=key).select_related("pool", "task__decision"),
        key=Seat.id,
    )
    for seat in seats:
        (found,) = asked.rows(key=seat.pk)
        wanted = Seat.objects.select_related("pool", "task__decision").get(pk=seat.pk)
        with CaptureQueriesContext(connection) as queries:
            read = [found, found.pool, found.task, found.task.decision]
        assert len(queries) == 0
        whole = [wanted, wanted.pool, wanted.task, wanted.task.decision]
        assert [columns(one) for one in read] == [columns(one) for one in whole]
        assert not found._state.adding


def test_times_json_and_ids_come_back_as_python_has_them(seats: list[Seat]) -> None:
    policies = Prepared(lambda key: PolicyVersion.objects.filter(pk=key), key=PolicyVersion.id)
    policy = PolicyVersion.objects.get()
    assert columns(policies.first(key=policy.pk)) == columns(policy)
    versions = Prepared(
        lambda key: ModelVersion.objects.filter(pk=key).values_list("id", "system_id", "version"),
        key=ModelVersion.id,
    )
    row = ModelVersion.objects.values_list("id", "system_id", "version").get()
    assert versions.rows(key=row[0]) == [row]


def test_one_value_may_stand_in_several_places_and_differs_from_call_to_call(
    seats: list[Seat],
) -> None:
    between = Prepared(
        lambda now: ReviewTask.objects.filter(created_at__lte=now, rank__lte=now).values_list("pk"),
        now=ReviewTask.created_at,
    )
    now = timezone.now()
    keys = set(ReviewTask.objects.filter(rank__lte=now).values_list("pk", flat=True))
    assert {key for (key,) in between.rows(now=now)} == keys
    assert between.rows(now=now - timedelta(days=3_650)) == []
    with CaptureQueriesContext(connection) as queries:
        between.rows(now=now)
    assert len(queries) == 1


def test_nothing_found_is_none_and_an_unknown_value_is_an_error(seats: list[Seat]) -> None:
    grants = Prepared(
        lambda user: RoleGrant.objects.filter(user=user).values_list("role"), user=RoleGrant.user
    )
    assert grants.rows(user=uuid4()) == [] and grants.first(user=uuid4()) is None
    with pytest.raises(KeyError):
        grants.rows(person=uuid4())
    with pytest.raises(KeyError):
        grants.rows()
