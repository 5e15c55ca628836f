"""Callers of the API: programs by key, people by session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.accounts.services import service_key_create
from apps.audit import sealing
from apps.common.actor import Actor

ROOT = "/api/v1/"


class ApiClient:
    """Speaks JSON under /api/v1/, as a program, a person or a stranger."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        given = {"data": body, "content_type": "application/json"} if body is not None else {}
        return getattr(self.client, method.lower())(ROOT + path, **given, **extra)

    def get(self, path: str, **params: Any) -> Any:
        return self.client.get(ROOT + path, params)

    def post(self, path: str, body: Any = None) -> Any:
        return self("post", path, {} if body is None else body)

    def patch(self, path: str, body: Any) -> Any:
        return self("patch", path, body)

    def delete(self, path: str, body: Any) -> Any:
        return self("delete", path, body)


@pytest.fixture
def stranger(db: None) -> ApiClient:
    return ApiClient(Client())


@pytest.fixture
def program(db: None, actor: Actor) -> Callable[..., ApiClient]:
    """A program with a key of its own."""

    def make(role: str, use_case: str = "") -> ApiClient:
        _, key = service_key_create(
            actor=actor, name=f"{role} {use_case}", role=role, use_case=use_case
        )
        return ApiClient(Client(headers={"authorization": f"Bearer {key}"}))

    return make


@pytest.fixture
def sender(program: Callable[..., ApiClient]) -> ApiClient:
    return program("integration")


@pytest.fixture
def session(db: None) -> Callable[[User], ApiClient]:
    def make(user: User) -> ApiClient:
        client = Client()
        client.force_login(user)
        return ApiClient(client)

    return make


@pytest.fixture
def administrator(program: Callable[..., ApiClient]) -> ApiClient:
    return program("administrator")


@pytest.fixture
def sealed(db: None) -> Callable[[], int]:
    return sealing.seal_all


@pytest.fixture
def count_queries() -> Callable[[Callable[[], Any]], int]:
    def count(call: Callable[[], Any]) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert call().status_code == 200
        return len(seen)

    return count


def pointers(response: Any) -> list[str]:
    """The pointers of a 400, in order."""
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    return [error["pointer"] for error in response.json().get("errors", [])]


@pytest.fixture(name="pointers")
def pointers_fixture() -> Callable[[Any], list[str]]:
    return pointers
