"""The base of every view, and ``operation``: one declaration that parses, answers and documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, NamedTuple

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from pydantic import BaseModel
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.bodies import Body, Document, Query, read_body, read_query
from apps.api.idempotency import answered_once
from apps.api.pagination import CursorPagination
from apps.common.errors import NotFound


class RawBody(NamedTuple):
    """A body that the service reads by itself, as the view's parser gives it: its media type, and
    what documents it (for lines of JSON: one line)."""

    media_type: str
    model: type[BaseModel]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one view takes and gives.

    ``returns`` is a document, a media type (the view answers by itself), or None for no content.
    ``problems`` are the statuses beyond those that every operation may answer with. ``again``: what
    a 200 says where the operation was done before; ``lines``: what a line of the answer holds where
    lines of JSON are accepted; ``keyed``: ``Idempotency-Key`` is honoured.
    """

    summary: str
    description: str
    returns: type[Document] | str | None
    status: int
    listed: bool
    body: type[Body] | None
    query: type[Query]
    problems: frozenset[int]
    raw: RawBody | None = None
    again: str = ""
    lines: type[Document] | None = None
    keyed: bool = False


class Created(NamedTuple):
    """A new thing and where it is from now on."""

    document: Document
    location: str


def operation(
    summary: str,
    *,
    returns: type[Document] | str | None,
    status: int = 200,
    listed: bool = False,
    body: type[Body] | None = None,
    query: type[Query] = Query,
    problems: Iterable[int] = (),
    raw: RawBody | None = None,
    again: str = "",
    lines: type[Document] | None = None,
    keyed: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a view's method: it gets the caller, the path's values, ``body`` or ``raw``, and ``query``.

    It returns a document, a list of them (for ``listed``: a queryset's page), ``Created``, None, or
    a ready response.
    """

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(handler)
        def answer(view: ApiView, request: Any, **path: Any) -> Any:
            # Another media type is refused first.
            data: Any = None if body is None and raw is None else request.data
            try:
                asked = read_query(query, request.query_params)
                given = path if query is Query else {**path, "query": asked}
                if body is not None:
                    given = {**given, "body": read_body(body, data)}
                if raw is not None:
                    given = {**given, "raw": data}

                def perform() -> Any:
                    return _response(handler(view, request.user, **given), status)

                return answered_once(request, data, perform) if keyed else perform()
            finally:
                if hasattr(data, "close"):  # a batch waits in a temporary file
                    data.close()

        words = " ".join((handler.__doc__ or "").split())
        answer.operation = Operation(  # type: ignore[attr-defined]
            summary,
            words,
            returns,
            status,
            listed,
            body,
            query,
            frozenset(problems) | ({409, 422} if keyed else set()),
            raw,
            again,
            lines,
            keyed,
        )
        return answer

    return decorate


def _response(result: Any, status: int) -> Any:
    if isinstance(result, HttpResponseBase):
        return result
    if isinstance(result, Created):
        content = result.document.model_dump(mode="json", by_alias=True)
        return Response(content, status=status, headers={"Location": result.location})
    if isinstance(result, Document):
        return Response(result.model_dump(mode="json", by_alias=True), status=status)
    return Response(result, status=204 if result is None else status)


class ApiView(APIView):
    """A view whose ``actions`` name the matrix's action of each method; one without is refused."""

    actions: ClassVar[dict[str, str]] = {}
    ordering = "-pk"
    http_method_names = ["get", "head", "post", "patch", "delete"]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """As DRF does it, but rate limits come first: a flood of refusals must write nothing."""
        self.format_kwarg = None
        chosen = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = chosen
        request.version = request.versioning_scheme = None
        try:
            self.perform_authentication(request)
        except exceptions.APIException:
            self.check_throttles(request)  # refused credentials count as a stranger's
            raise
        self.check_throttles(request)
        self.check_permissions(request)
        for value in kwargs.values():
            if isinstance(value, str) and not value.isprintable():
                raise NotFound("there is no such thing here")

    def page(self, queryset: QuerySet[Any], present: Callable[[Any], Document]) -> dict[str, Any]:
        """One page of ``queryset``, each row as ``present`` makes it a document."""
        return self.page_of(queryset, lambda rows: map(present, rows))

    def page_of(
        self, queryset: QuerySet[Any], present: Callable[[list[Any]], Iterable[Document]]
    ) -> dict[str, Any]:
        """One page of ``queryset``, where a row's document depends on the rows beside it."""
        paginator = CursorPagination()
        rows = paginator.paginate_queryset(queryset, self.request, view=self)
        results = [document.model_dump(mode="json", by_alias=True) for document in present(rows)]
        return {**paginator.links(), "results": results}


class NoSuchRoute(ApiView):
    """Every path that is no route: a problem document, not a page."""

    authentication_classes = ()
    schema = None

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        self.check_throttles(request)
        raise NotFound(f"{request.path[:200]} is no route of this API; /api/v1/schema/ lists them")
