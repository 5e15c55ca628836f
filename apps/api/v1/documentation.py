"""``schema/`` and ``docs/``: the API described for programs and for people."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from rest_framework.renderers import StaticHTMLRenderer

from apps.api.bodies import Query
from apps.api.operations import ApiView, operation
from apps.api.permissions import PUBLIC
from apps.api.schema import openapi_document


class SchemaQuery(Query):
    format: str | None = None


class SchemaView(ApiView):
    authentication_classes = ()
    renderer_classes = (
        OpenApiJsonRenderer2,
        OpenApiJsonRenderer,
        OpenApiYamlRenderer,
        OpenApiYamlRenderer2,
    )
    actions = {"GET": PUBLIC}

    @operation("Read this document", returns="application/json", query=SchemaQuery, problems={404})
    def get(self, caller: None, query: SchemaQuery) -> Any:
        """OpenAPI 3.1, as JSON or, where asked for, as YAML."""
        return openapi_document()


class DocsView(ApiView):
    """Swagger UI from the platform's own files: under its policy a page runs no inline script."""

    authentication_classes = ()
    renderer_classes = (StaticHTMLRenderer,)
    actions = {"GET": PUBLIC}
    schema = None

    def get(self, request: Any) -> HttpResponse:
        return HttpResponse(render_to_string("api/docs.html"))
