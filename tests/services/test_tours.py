"""The guided tours: every role has one, and each of its steps opens to that role."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.domain.matrix import PEOPLE
from apps.web.tours import TOURS

pytestmark = pytest.mark.django_db


def test_every_role_of_a_person_has_a_tour() -> None:
    assert set(TOURS) == set(PEOPLE)


@pytest.mark.parametrize("role", TOURS)
def test_each_step_of_a_tour_opens_to_its_role(
    make_person: Any, make_use_case: Any, role: str
) -> None:
    make_use_case("loan-approval")
    client = Client()
    client.force_login(make_person("someone", role))
    shown = client.get("/").context["tours"]
    assert [name for name, _steps in shown] == [role]
    assert shown[0][1] == list(TOURS[role])
    for step in TOURS[role]:
        assert client.get(reverse(step.page)).status_code == 200, step


def test_who_has_no_role_is_shown_no_tour(make_person: Any) -> None:
    client = Client()
    client.force_login(make_person("someone"))
    assert client.get("/").context["tours"] == []
