"""The OpenAPI 3.1 document, made from each view's ``operation`` and ``actions``."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, cast

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from apps.accounts.domain.matrix import ACTIONS, ROLES
from apps.api.bodies import Document
from apps.api.idempotency import FORM as KEY_FORM
from apps.api.idempotency import HEADER
from apps.api.operations import ApiView, Operation
from apps.api.permissions import PUBLIC, SIGNED_IN
from apps.api.problems import MEDIA_TYPE
from apps.api.renderers import LINES

PATH_VALUE = re.compile(r"<(\w+):(\w+)>")
PATH_TYPES: dict[str, dict[str, Any]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "leaf_index": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
}
REFERENCE = "#/components/schemas/{model}"
PROBLEMS = {
    400: "The input is not valid; `errors` names each fault.",
    401: "No credentials, or refused ones.",
    403: "The caller's roles or rights do not allow this. The refusal is recorded.",
    404: "There is no such thing, or the caller may not see it.",
    406: "None of the accepted media types can be given.",
    409: "The request conflicts with the present state.",
    413: "The body is larger than is read here; nothing was taken.",
    415: "The body is not of a media type that is read here.",
    422: "The `Idempotency-Key` came with another request before.",
    429: "Too many requests; `Retry-After` says in how many seconds to come back.",
    503: "The ledger or its key needs an operator.",
}
HEADERS: dict[int, tuple[str, dict[str, Any]]] = {
    201: ("Location", {"type": "string", "format": "uri-reference"}),
    401: ("WWW-Authenticate", {"type": "string"}),
    429: ("Retry-After", {"type": "integer", "minimum": 1}),
}


KEY_PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "pattern": f"^{KEY_FORM.pattern}$",
    },
    "description": "The same key and request again are answered as the first time, for a day.",
}


class FieldFault(Document):
    pointer: str
    detail: str


class Problem(Document):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldFault] = []


class ProblemSchema(AutoSchema):
    """DRF's hook for one view; everything comes from the declaration, nothing is guessed."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any]:
        self.path, self.path_regex, self.path_prefix = path, path_regex, path_prefix
        self.method, self.registry = method.upper(), registry
        declared: Operation = getattr(self.view, method.lower()).operation
        action = cast(ApiView, self.view).actions[self.method]
        found: dict[str, Any] = {
            "operationId": f"{method.lower()}_{_snake(type(self.view).__name__)}",
            "summary": declared.summary,
            "description": _description(declared, action),
            "tags": [re.sub(path_prefix, "", path).strip("/").split("/")[0]],
            "security": [] if action == PUBLIC else self.get_auth(),
            "responses": self._responses(declared, action),
        }
        if parameters := [*self._path_parameters(), *self._query_parameters(declared)]:
            found["parameters"] = parameters
        if declared.keyed:
            found["parameters"] = [*found.get("parameters", []), KEY_PARAMETER]
        if content := self._request_content(declared):
            found["requestBody"] = {"required": True, "content": content}
        return found

    def _request_content(self, declared: Operation) -> dict[str, Any]:
        if declared.raw is None:
            body = declared.body
            return {} if body is None else _json(self._reference(body, "validation"))
        media_type, model = declared.raw
        schema = self._reference(model, "validation")
        return {media_type: {"schema": _lines_of(schema) if media_type == LINES else schema}}

    def _path_parameters(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": PATH_TYPES.get(converter, {"type": "string", "minLength": 1}),
            }
            for converter, name in PATH_VALUE.findall(self.path_regex)
        ]

    def _query_parameters(self, declared: Operation) -> list[dict[str, Any]]:
        schema = declared.query.model_json_schema(ref_template=REFERENCE)
        self._register_definitions(schema)
        required = schema.get("required", [])
        return [
            _parameter(name, body, name in required)
            for name, body in schema.get("properties", {}).items()
        ]

    def _responses(self, declared: Operation, action: str) -> dict[str, Any]:
        found = {str(declared.status): self._success(declared)}
        if declared.again and isinstance(declared.returns, type):
            schema = self._reference(declared.returns, "serialization")
            found["200"] = {"description": declared.again, "content": _json(schema)}
        for status in sorted(self._problem_statuses(declared, action)):
            content = {MEDIA_TYPE: {"schema": self._reference(Problem, "validation")}}
            found[str(status)] = _with_header(
                status, {"description": PROBLEMS[status], "content": content}
            )
        return found

    def _problem_statuses(self, declared: Operation, action: str) -> set[int]:
        statuses = {400, 406, 429, *declared.problems}
        if action != PUBLIC:
            statuses |= {401, 403}
        if PATH_VALUE.search(self.path_regex):
            statuses.add(404)
        if declared.body is not None or declared.raw is not None:
            statuses.add(415)
        if declared.raw is not None:
            statuses.add(413)
        return statuses

    def _success(self, declared: Operation) -> dict[str, Any]:
        described: dict[str, Any] = {"description": declared.summary}
        if isinstance(declared.returns, str):
            described["content"] = {declared.returns: {"schema": _plain_schema(declared.returns)}}
        elif declared.returns is not None:
            schema = self._reference(declared.returns, "serialization")
            if declared.listed:
                schema = self._list_reference(declared.returns.__name__, schema)
            described["content"] = _json(schema)
        if declared.lines is not None:
            line = self._reference(declared.lines, "serialization")
            described["content"][LINES] = {"schema": _lines_of(line)}
        return _with_header(declared.status, described)

    def _list_reference(self, name: str, item: dict[str, Any]) -> dict[str, Any]:
        link = {"anyOf": [{"type": "string", "format": "uri"}, {"type": "null"}]}
        properties = {"next": link, "previous": link, "results": {"type": "array", "items": item}}
        schema = {"type": "object", "required": list(properties), "properties": properties}
        return self._register(f"{name}List", schema)

    def _reference(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        schema = model.model_json_schema(ref_template=REFERENCE, mode=mode, by_alias=True)
        self._register_definitions(schema)
        return self._register(model.__name__, _without_null_defaults(schema))

    def _register_definitions(self, schema: dict[str, Any]) -> None:
        for name, body in schema.pop("$defs", {}).items():
            self._register(name, _without_null_defaults(body))

    def _register(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        component = ResolvedComponent(name, ResolvedComponent.SCHEMA, object=name, schema=schema)
        self.registry.register_on_missing(component)
        return {"$ref": REFERENCE.format(model=name)}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("View")).lower()


def _description(declared: Operation, action: str) -> str:
    if action == PUBLIC:
        who = "Open to all."
    elif action == SIGNED_IN:
        who = "Open to every person and program with credentials."
    else:
        roles = ", ".join(f"`{role}`" for role in ROLES if role in ACTIONS[action].roles)
        who = f"Action `{action}`: {roles}."
    return f"{declared.description}\n\n{who}".strip()


def _parameter(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    """A query parameter is there or not: it has no null."""
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    shape = {**schema, **(kinds[0] if kinds else {})}
    shape.pop("title", None)
    if shape.get("default", 0) is None:
        del shape["default"]
    found = {"name": name, "in": "query", "required": required, "schema": shape}
    if not required:
        found["allowEmptyValue"] = True  # an empty value counts as none
    if words := shape.pop("description", ""):
        found["description"] = words
    return found


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _lines_of(line: dict[str, Any]) -> dict[str, Any]:
    """Lines of JSON are text to the document; what a line holds is named beside it. Not typed as
    text: as a body it is never refused for its form, each line is for itself."""
    return {"contentMediaType": LINES, "contentSchema": line}


def _plain_schema(media_type: str) -> dict[str, Any]:
    return {"type": "object"} if media_type.endswith("json") else {"type": "string"}


def _without_null_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """A key that may be left out is not one that may be null."""
    for body in schema.get("properties", {}).values():
        if body.get("default", 0) is None:
            del body["default"]
    return schema


def _with_header(status: int, response: dict[str, Any]) -> dict[str, Any]:
    if status in HEADERS:
        name, schema = HEADERS[status]
        response["headers"] = {name: {"schema": schema, "required": True}}
    return response


@cache
def openapi_document() -> dict[str, Any]:
    """Made once a process: the routes do not change while it runs."""
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return document
