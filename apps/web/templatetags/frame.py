"""Small pieces that every page shows the same way: times, words, sort and page links."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html

register = template.Library()


@register.filter
def when(value: datetime | str | None) -> str:
    """A moment in the reader's zone; its UTC time in ``datetime`` and on hover."""
    if not value:
        return "–"
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    utc, local = moment.astimezone(UTC), timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        local.strftime("%-d %b %Y, %H:%M:%S"),
    )


@register.filter
def words(value: object) -> str:
    """A code as a person reads it: ``risk_lead`` is ``risk lead``."""
    return str(value).replace("_", " ")


@register.filter
def plain(value: Any) -> str:
    """A stored value as a person reads it."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.strftime("%-d %b %Y")
    return str(value)


@register.simple_tag(takes_context=True)
def here_with(context: Any, **changes: Any) -> str:
    """This page's address with some query parameters changed; None takes one out."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.filter
def hexed(value: bytes | memoryview) -> str:
    """A hash as people compare it."""
    return bytes(value).hex()
