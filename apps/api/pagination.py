"""Cursor pagination: ``{"next", "previous", "results"}``, the same cost on every page."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import IntegerField, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from apps.common.errors import BadInput

PAGE_SIZE, MAX_PAGE_SIZE = 50, 500
NEXT, PREVIOUS = "next", "previous"


class CursorPagination(BasePagination):
    """Pages by one unique column, ``ordering`` (or the view's): a cursor says where a page begins.

    Rows that are added or removed meanwhile move nothing: no row is seen twice or missed.
    """

    ordering = "-pk"

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        ordering = getattr(view, "ordering", self.ordering)
        self.request, self.column = request, ordering.lstrip("-")
        size, (direction, position) = _page_size(request), self._cursor(queryset)
        descending = ordering.startswith("-") != (direction == PREVIOUS)
        if position is not None:
            queryset = queryset.filter(
                **{f"{self.column}__{'lt' if descending else 'gt'}": position}
            )
        found = list(queryset.order_by(f"{'-' if descending else ''}{self.column}")[: size + 1])
        page, more = found[:size], len(found) > size
        if direction == PREVIOUS:
            page.reverse()
        self.next_row = page[-1] if page and (more or direction == PREVIOUS) else None
        self.previous_row = (
            page[0] if page and position is not None and (more or direction == NEXT) else None
        )
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Response({**self.links(), "results": data})

    def links(self) -> dict[str, str | None]:
        return {
            NEXT: self._link(NEXT, self.next_row),
            PREVIOUS: self._link(PREVIOUS, self.previous_row),
        }

    def _link(self, direction: str, row: Any) -> str | None:
        if row is None:
            return None
        value = getattr(row, self.column)
        token = json.dumps([direction, value if isinstance(value, int) else str(value)])
        cursor = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
        return replace_query_param(self.request.build_absolute_uri(), "cursor", cursor)

    def _cursor(self, queryset: QuerySet[Any]) -> tuple[str, Any]:
        """(direction, position) of the request's cursor; a made-up one is refused."""
        text = self.request.query_params.get("cursor", "")
        if not text:
            return NEXT, None
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            direction, value = json.loads(base64.b64decode(padded, b"-_", validate=True))
            if direction not in (NEXT, PREVIOUS):
                raise ValueError(direction)
            return direction, self._position(queryset, value)
        except (ValueError, TypeError, RecursionError, binascii.Error, ValidationError):
            raise BadInput(f"{text[:80]!r} is not a cursor of this list", "/cursor") from None

    def _position(self, queryset: QuerySet[Any], value: Any) -> Any:
        meta = queryset.model._meta
        field = meta.pk if self.column == "pk" else meta.get_field(self.column)
        if isinstance(field, IntegerField):
            storable = type(value) is int and -(2**63) <= value < 2**63
        else:
            storable = isinstance(value, str) and value.isprintable()
        if not storable:
            raise ValueError(value)
        return field.to_python(value)


def _page_size(request: Any) -> int:
    text = request.query_params.get("page_size", "") or str(PAGE_SIZE)
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= MAX_PAGE_SIZE:
        raise BadInput(
            f"{text[:80]!r} is not a page size; allowed: 1 to {MAX_PAGE_SIZE}", "/page_size"
        )
    return int(text)
