"""Figures in words: shares, money, intervals, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

NONE = "–"


def percent(value: float | None, places: int = 1) -> str:
    return NONE if value is None else f"{100 * value:.{places}f} %"


def points(value: float | None) -> str:
    """A difference of two shares, in percentage points."""
    return NONE if value is None else f"{100 * value:+.1f} pp"


def points_in_words(value: float) -> str:
    """The size of a difference of two shares, for a sentence."""
    return f"{100 * abs(value):.1f} percentage points"


def number(value: float | int | None) -> str:
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"


def money(value: str | None, currency: str) -> str:
    """An amount of decimal text; whole units from a thousand on."""
    if value is None:
        return NONE
    amount = Decimal(value)
    return f"{amount:,.0f} {currency}" if abs(amount) >= 1000 else f"{amount:,.2f} {currency}"


def seconds(value: float | None) -> str:
    if value is None:
        return NONE
    if value < 120:
        return f"{value:.0f} s"
    if value < 7200:
        return f"{value / 60:.0f} min"
    if value < 172_800:
        return f"{value / 3600:.1f} h"
    return f"{timedelta(seconds=value).days:,} days"


def moment(text: str) -> str:
    """A time of ISO 8601 in UTC, to the minute."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def interval(one: Mapping[str, Any], write: Any = percent) -> str:
    """ "[low, high]", or nothing."""
    if one.get("low") is None and one.get("high") is None:
        return ""
    return f"[{write(one['low'])}, {write(one['high'])}]"


def small(one: Mapping[str, Any], write: Any = percent) -> str:
    """Interval, n and method of an estimate, or why it has no value."""
    if one.get("value") is None:
        return str(one.get("why", "not enough data"))
    parts = [interval(one, write), f"n = {one['n']:,}" if one.get("n") is not None else ""]
    return " · ".join(part for part in parts if part)


def label(slug: str) -> str:
    return slug.replace("_", " ")
