"""Every route and method against every role: allowed or refused exactly as the matrix says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import RequestFactory
from django.urls import reverse
from rest_framework.response import Response

from apps.accounts.domain.matrix import ACTIONS, PEOPLE, ROLES
from apps.accounts.services import service_key_create
from apps.api.operations import ApiView, NoSuchRoute
from apps.api.permissions import PUBLIC, SIGNED_IN
from apps.api.urls import urlpatterns
from apps.audit.models import AccessEvent
from tests.api.conftest import ROOT, ApiClient

VIEWS = {p.name: p.callback.cls for p in urlpatterns if p.callback.cls is not NoSuchRoute}
SAMPLES = {
    "slug": "loan-approval",
    "name": "credit-scorer",
    "username": "somebody",
    "id": UUID("01890000-0000-7000-8000-000000000000"),
    "leaf_index": 0,
}


def methods(view: type[ApiView]) -> list[str]:
    return [m.upper() for m in view.http_method_names if m != "head" and hasattr(view, m)]


DOORS = [(name, method) for name, view in VIEWS.items() for method in methods(view)]
GUARDED = [(name, method) for name, method in DOORS if VIEWS[name].actions.get(method) != PUBLIC]


def path_of(name: str) -> str:
    pattern = next(p for p in urlpatterns if p.name == name)
    kwargs = {key: SAMPLES[key] for key in pattern.pattern.converters}
    return reverse(f"api:{name}", kwargs=kwargs).removeprefix(ROOT)


def call(client: ApiClient, name: str, method: str) -> Any:
    """With an empty body: the door is asked before the body is looked at."""
    return client(method, path_of(name), None if method == "GET" else {})


def allowed(name: str, method: str, role: str) -> bool:
    action = VIEWS[name].actions[method]
    return action == SIGNED_IN or role in ACTIONS[action].roles


@pytest.mark.parametrize("name", VIEWS)
def test_every_method_of_every_route_names_an_action_of_the_matrix(name: str) -> None:
    view = VIEWS[name]
    assert issubclass(view, ApiView)
    assert view.actions.keys() == set(methods(view))
    assert all(a in ACTIONS or a in {PUBLIC, SIGNED_IN} for a in view.actions.values())


def test_only_the_schema_its_page_and_what_outsiders_verify_with_are_public() -> None:
    public = {name for name, method in DOORS if VIEWS[name].actions.get(method) == PUBLIC}
    assert public == {"schema", "docs", "checkpoint", "public-key"}


@pytest.mark.parametrize(("name", "method"), GUARDED)
def test_without_credentials_the_answer_is_401(name: str, method: str, stranger: ApiClient) -> None:
    response = call(stranger, name, method)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("name", "method"), GUARDED)
def test_a_program_may_do_exactly_what_the_matrix_allows_its_role(
    name: str, method: str, program: Callable[..., ApiClient]
) -> None:
    for role in ROLES:
        status = call(program(role), name, method).status_code
        assert status not in {401, 500}, role
        assert (status != 403) is allowed(name, method, role), role


@pytest.mark.parametrize(("name", "method"), GUARDED)
def test_a_person_may_do_exactly_what_the_matrix_allows_their_role(
    name: str,
    method: str,
    session: Callable[..., ApiClient],
    make_person: Callable[..., Any],
) -> None:
    for role in sorted(PEOPLE):
        status = call(session(make_person(role, role)), name, method).status_code
        assert status not in {401, 500}, role
        assert (status != 403) is allowed(name, method, role), role


@pytest.mark.parametrize(("name", "method"), GUARDED)
def test_a_person_without_a_role_may_do_nothing(
    name: str,
    method: str,
    session: Callable[..., ApiClient],
    make_person: Callable[..., Any],
) -> None:
    expected = 200 if VIEWS[name].actions[method] == SIGNED_IN else 403
    assert call(session(make_person("newcomer")), name, method).status_code == expected


def test_a_method_without_an_entry_is_refused_to_everyone_and_recorded(
    db: None, actor: Any
) -> None:
    class Forgotten(ApiView):
        actions = {"POST": "use_case.view"}

        def get(self, request: Any) -> Response:
            return Response("reached")

    _, key = service_key_create(actor=actor, name="all", role="administrator")
    request = RequestFactory().get("/", headers={"authorization": f"Bearer {key}"})
    assert Forgotten.as_view()(request).status_code == 403
    assert AccessEvent.objects.get(kind="permission_refused").action == "unlisted"


def test_an_action_outside_the_table_is_an_error_not_a_permission(db: None, actor: Any) -> None:
    class Misnamed(ApiView):
        actions = {"GET": "use_case.peek"}

        def get(self, request: Any) -> Response:
            return Response("reached")

    _, key = service_key_create(actor=actor, name="all", role="administrator")
    request = RequestFactory().get("/", headers={"authorization": f"Bearer {key}"})
    assert Misnamed.as_view()(request).status_code == 500
