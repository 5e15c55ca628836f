"""Groups that a bias audit leaves out of its ratios: what may be said of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.common.errors import FieldError
from apps.registry.validation import MAX_NAME, is_name, shown

MAX_LEFT_OUT, MAX_REASON = 1_000, 2_000
CROSSED = " & "  # between the attributes of an intersection, and between its groups


def left_out_faults(data: dict[str, Any]) -> Iterator[FieldError]:
    """6 RCNY 5-301 lets a small category be left out of the ratios with a reason alone."""
    rows = data.get("left_out", [])
    if not isinstance(rows, list) or len(rows) > MAX_LEFT_OUT:
        yield FieldError("/left_out", f"must be a list of at most {MAX_LEFT_OUT} groups")
        return
    protected, seen = _protected(data), set()
    for i, row in enumerate(rows):
        at = f"/left_out/{i}"
        if not isinstance(row, dict) or set(row) != {"attribute", "group", "reason"}:
            yield FieldError(at, f"{shown(row)} is not an object of attribute, group and reason")
            continue
        yield from _row_faults(at, row, protected)
        pair = repr((row["attribute"], row["group"]))
        if pair in seen:
            yield FieldError(at, f"{pair} is there twice")
        seen.add(pair)


def _row_faults(at: str, row: dict[str, Any], protected: set[str]) -> Iterator[FieldError]:
    attribute, reason = row["attribute"], row["reason"]
    if not isinstance(attribute, str) or not _is_crossed(attribute, protected):
        allowed = ", ".join(sorted(protected)) or "none is protected"
        detail = f"{shown(attribute)} is not a protected attribute, nor several of them in the "
        detail += f"order of the alphabet joined by '{CROSSED}'; allowed: {allowed}"
        yield FieldError(f"{at}/attribute", detail)
    if not is_name(row["group"]):
        detail = f"{shown(row['group'])} is not a group: text of 1 to {MAX_NAME} characters"
        yield FieldError(f"{at}/group", detail)
    if not isinstance(reason, str) or not 1 <= len(reason.strip()) <= MAX_REASON:
        detail = f"{shown(reason)} is not a reason: text of 1 to {MAX_REASON} characters"
        yield FieldError(f"{at}/reason", detail)


def _protected(data: dict[str, Any]) -> set[str]:
    schemas = [data.get(name, []) for name in ("features", "subject_attributes")]
    entries = [one for schema in schemas if isinstance(schema, list) for one in schema]
    return {
        entry["name"]
        for entry in entries
        if isinstance(entry, dict) and entry.get("protected") is True and is_name(entry["name"])
    }


def _is_crossed(attribute: str, protected: set[str]) -> bool:
    names = attribute.split(CROSSED)
    return attribute in protected or (names == sorted(set(names)) and set(names) <= protected)
