"""The OpenAPI document: complete, valid, true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from apps.api.operations import ApiView
from apps.api.permissions import PUBLIC
from apps.api.schema import openapi_document
from apps.api.urls import urlpatterns

DOCUMENT = openapi_document()
OPERATIONS = {
    (path, method): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def routes() -> Iterator[tuple[str, str, type[ApiView]]]:
    """Every route that the document has to describe: all but the page that shows it."""
    for pattern in urlpatterns:
        view = pattern.callback.cls
        if view.schema is not None:
            path = re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))
            for method in view.actions:
                yield f"/api/v1/{path}", method.lower(), view


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    validate_schema(DOCUMENT)


def test_it_was_made_without_a_warning() -> None:
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache


def test_it_describes_every_route_and_method_and_no_other() -> None:
    assert {(path, method) for path, method, _ in routes()} == OPERATIONS.keys()


def test_every_operation_has_a_name_of_its_own_and_a_summary() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    assert all(operation["summary"] for operation in OPERATIONS.values())


def test_every_reference_leads_somewhere() -> None:
    components = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert set(references(DOCUMENT)) == components


def test_public_operations_need_no_credentials_and_all_others_do() -> None:
    for path, method, view in routes():
        security = OPERATIONS[path, method]["security"]
        if view.actions[method.upper()] == PUBLIC:
            assert security == []
        else:
            assert security == [{"serviceKey": []}, {"session": []}]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_refusal_is_described_as_a_problem(path: str, method: str) -> None:
    responses = OPERATIONS[path, method]["responses"]
    problems = {status: body for status, body in responses.items() if status >= "400"}
    expected = {"400", "406", "429"}
    expected |= {"401", "403"} if OPERATIONS[path, method]["security"] else set()
    expected |= {"404"} if "{" in path else set()
    expected |= {"415"} if "requestBody" in OPERATIONS[path, method] else set()
    assert expected <= problems.keys()
    for body in problems.values():
        schema = body["content"]["application/problem+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Problem"}


@pytest.mark.parametrize(("path", "method"), [k for k in OPERATIONS if k[1] in ("patch", "delete")])
def test_every_change_and_every_end_demands_a_reason(path: str, method: str) -> None:
    body = OPERATIONS[path, method]["requestBody"]["content"]["application/json"]["schema"]
    schema = DOCUMENT["components"]["schemas"][body["$ref"].rsplit("/", 1)[1]]
    assert "reason" in schema["required"]
    assert schema["additionalProperties"] is False


def test_a_new_thing_is_answered_with_its_address() -> None:
    made = [op for op in OPERATIONS.values() if "201" in op["responses"]]
    assert made
    assert all("Location" in op["responses"]["201"]["headers"] for op in made)


def test_the_document_is_served_to_everyone_as_json_or_yaml(stranger: Any) -> None:
    response = stranger.get("schema/")
    assert response["Content-Type"] == "application/json"
    assert response.json() == DOCUMENT
    as_yaml = stranger("get", "schema/", headers={"accept": "application/vnd.oai.openapi"})
    assert yaml.safe_load(as_yaml.content) == DOCUMENT


def test_the_page_runs_no_inline_script_and_names_no_other_host(stranger: Any) -> None:
    response = stranger.get("docs/")
    assert response.status_code == 200
    assert "script-src 'self'" in response["Content-Security-Policy"]
    page = response.content.decode()
    assert 'data-schema="/api/v1/schema/"' in page
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?://", page)
