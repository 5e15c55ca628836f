"""Figures as the desk's pages write them."""

from __future__ import annotations

from datetime import timedelta

from django import template

register = template.Library()


@register.filter
def per_cent(share: float) -> str:
    """0.7126 is 71 %."""
    return f"{100 * share:.0f} %"


@register.filter
def spell(minutes: float | None) -> str:
    """Minutes as people say them: 4 min, 3 h 10 min, 2 d 4 h; – where there is no figure."""
    if minutes is None:
        return "–"
    whole = round(minutes)
    days, rest = divmod(abs(whole), 24 * 60)
    hours, left = divmod(rest, 60)
    sign = "-" if whole < 0 else ""
    if days:
        return f"{sign}{days} d {hours} h" if hours else f"{sign}{days} d"
    if hours:
        return f"{sign}{hours} h {left} min" if left else f"{sign}{hours} h"
    return f"{sign}{left} min"


@register.filter
def minutes_of(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds() / 60
