"""What a use case's definition must satisfy. Pure: values in, faults out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from apps.common.errors import FieldError
from apps.common.saving import pointer_to

KINDS = ("label", "number", "fields", "text", "action")
FEATURE_TYPES = ("number", "category", "boolean", "text", "date")
MAX_LABELS, MAX_FEATURES, MAX_NAME, MAX_ERROR_COSTS = 500, 2000, 200, 10_000
MAX_REASON_CODES, MAX_REASON_CODE = 200, 80
ENTRY_KEYS = frozenset({"name", "type", "protected", "description"})
MONEY = (
    "ai_cost_per_decision",
    "review_cost_per_hour",
    "review_minutes_default",
    "human_minutes_per_decision",
    "setup_cost",
    "fixed_cost_per_month",
)
COST_KEYS = frozenset({*MONEY, "currency", "baseline", "error_costs"})
BASELINES = ("human_only", "ai_only")
AMOUNT = re.compile(r"(-?)[0-9]{1,14}(\.[0-9]{1,10})?")
CURRENCY = re.compile(r"[A-Z]{3}")
TEXTS = (
    "slug",
    "name",
    "description",
    "industry",
    "risk_tier",
    "lifecycle",
    "goal",
    "favourable_label",
    "positive_label",
    "unknown_features",
    "models_mode",
)
DATES = ("reference_from", "reference_to")


def shown(value: object) -> str:
    """A value as an error message quotes it: enough to know it again."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def type_faults(data: dict[str, Any]) -> list[FieldError]:
    """Values of the wrong type among the plain fields of a use case."""
    return [
        FieldError(f"/{name}", f"{shown(value)} is not {allowed}")
        for name, value in data.items()
        if (allowed := _type_wanted(name, value))
    ]


def _type_wanted(name: str, value: object) -> str:
    """What ``value`` should have been, or nothing where it is."""
    if name in TEXTS:
        return "" if isinstance(value, str) else "text"
    if name == "retention_days":
        return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
    if name == "hasty_seconds":
        whole = isinstance(value, int) and not isinstance(value, bool)
        return "" if value is None or whole else "a whole number or null"
    if name == "tolerance":
        return "" if _is_tolerance(value) else "a decimal that is 0 or more"
    if name in DATES:
        return "" if value is None or _day(value) else "a day such as 2026-01-31"
    return ""


def _is_tolerance(value: object) -> bool:
    if isinstance(value, str):
        return bool(AMOUNT.fullmatch(value)) and Decimal(value) >= 0
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return value == value and value >= 0


def _day(value: object) -> date | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def definition_faults(data: dict[str, Any]) -> list[FieldError]:
    """Every fault of a use case's kinds, labels, schema and cost model, each with its pointer."""
    labels = data.get("labels", [])
    return [
        *_kind_faults(data.get("kinds", [])),
        *_label_faults(data),
        *_schema_faults("/features", data.get("features", [])),
        *_schema_faults("/subject_attributes", data.get("subject_attributes", [])),
        *_cost_faults(data.get("cost_model", {}), labels if isinstance(labels, list) else []),
        *_window_faults(data),
        *_reason_code_faults(data.get("reason_codes", [])),
    ]


def is_name(value: object) -> bool:
    return isinstance(value, str) and value.strip() != "" and len(value) <= MAX_NAME


def _kind_faults(kinds: object) -> Iterator[FieldError]:
    if not isinstance(kinds, list) or not kinds:
        yield FieldError(
            "/kinds", f"{shown(kinds)} is not a list of output kinds; allowed: {', '.join(KINDS)}"
        )
        return
    for i, kind in enumerate(kinds):
        if kind not in KINDS:
            yield FieldError(
                f"/kinds/{i}", f"{shown(kind)} is not an output kind; allowed: {', '.join(KINDS)}"
            )
        elif kind in kinds[:i]:
            yield FieldError(f"/kinds/{i}", f"{shown(kind)} is there twice")


def _label_faults(data: dict[str, Any]) -> Iterator[FieldError]:
    labels = data.get("labels", [])
    if not isinstance(labels, list) or len(labels) > MAX_LABELS:
        yield FieldError("/labels", f"labels must be a list of at most {MAX_LABELS} names")
        return
    kinds = data.get("kinds", [])
    if isinstance(kinds, list) and "label" in kinds and len(labels) < 2:
        yield FieldError(
            "/labels", f"{shown(labels)}: a use case of kind 'label' needs two labels or more"
        )
    for i, label in enumerate(labels):
        if not is_name(label):
            yield FieldError(
                f"/labels/{i}", f"{shown(label)} is not a label: text of 1 to {MAX_NAME} characters"
            )
        elif label in labels[:i]:
            yield FieldError(f"/labels/{i}", f"{shown(label)} is there twice")
    for role in ("favourable_label", "positive_label"):
        named = data.get(role, "")
        if named and named not in labels:
            yield FieldError(f"/{role}", f"{shown(named)} is not in the label set {shown(labels)}")


def _reason_code_faults(codes: object) -> Iterator[FieldError]:
    if not isinstance(codes, list) or len(codes) > MAX_REASON_CODES:
        yield FieldError("/reason_codes", f"must be a list of at most {MAX_REASON_CODES} codes")
        return
    for i, code in enumerate(codes):
        if not is_name(code) or len(code) > MAX_REASON_CODE:
            detail = f"is not a reason code: text of 1 to {MAX_REASON_CODE} characters"
            yield FieldError(f"/reason_codes/{i}", f"{shown(code)} {detail}")
        elif code in codes[:i]:
            yield FieldError(f"/reason_codes/{i}", f"{shown(code)} is there twice")


def _schema_faults(pointer: str, schema: object) -> Iterator[FieldError]:
    if not isinstance(schema, list) or len(schema) > MAX_FEATURES:
        yield FieldError(pointer, f"must be a list of at most {MAX_FEATURES} entries")
        return
    seen: set[str] = set()
    for i, entry in enumerate(schema):
        at = f"{pointer}/{i}"
        if not isinstance(entry, dict):
            yield FieldError(at, f"{shown(entry)} is not an object with name and type")
            continue
        yield from _entry_faults(at, entry, seen)
        if isinstance(entry.get("name"), str):
            seen.add(entry["name"])


def _entry_faults(at: str, entry: dict[str, Any], seen: set[str]) -> Iterator[FieldError]:
    name, kind = entry.get("name"), entry.get("type")
    if not is_name(name):
        yield FieldError(
            f"{at}/name", f"{shown(name)} is not a name: text of 1 to {MAX_NAME} characters"
        )
    elif name in seen:
        yield FieldError(f"{at}/name", f"two features are named {shown(name)}")
    if kind not in FEATURE_TYPES:
        yield FieldError(
            f"{at}/type", f"{shown(kind)} is not a type; allowed: {', '.join(FEATURE_TYPES)}"
        )
    if not isinstance(entry.get("protected", False), bool):
        yield FieldError(f"{at}/protected", f"{shown(entry['protected'])} is not true or false")
    if not isinstance(entry.get("description", ""), str):
        yield FieldError(f"{at}/description", f"{shown(entry['description'])} is not text")
    for key in sorted(entry.keys() - ENTRY_KEYS):
        allowed = ", ".join(sorted(ENTRY_KEYS))
        yield FieldError(pointer_to(at, key), f"unknown key; allowed: {allowed}")


def _money_fault(pointer: str, value: object) -> Iterator[FieldError]:
    parts = AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        detail = 'is not an amount: a decimal in quotes, such as "40.00"'
        yield FieldError(pointer, f"{shown(value)} {detail}")
    elif parts[1]:
        yield FieldError(pointer, f"{value!r} is not allowed: an amount is not negative")


def _cost_faults(costs: object, labels: list[Any]) -> Iterator[FieldError]:
    if not isinstance(costs, dict):
        yield FieldError("/cost_model", f"{shown(costs)} is not an object")
        return
    for key in sorted(costs.keys() - COST_KEYS):
        allowed = ", ".join(sorted(COST_KEYS))
        yield FieldError(pointer_to("/cost_model", key), f"unknown key; allowed: {allowed}")
    for key in MONEY:
        if key in costs:
            yield from _money_fault(f"/cost_model/{key}", costs[key])
    currency = costs.get("currency", "EUR")
    if not (isinstance(currency, str) and CURRENCY.fullmatch(currency)):
        yield FieldError(
            "/cost_model/currency", f"{shown(currency)} is not a currency code such as EUR"
        )
    if costs.get("baseline", "human_only") not in BASELINES:
        allowed = ", ".join(BASELINES)
        yield FieldError(
            "/cost_model/baseline", f"{shown(costs['baseline'])} is not one of {allowed}"
        )
    yield from _error_cost_faults(costs.get("error_costs", []), labels)


def _error_cost_faults(rows: object, labels: list[Any]) -> Iterator[FieldError]:
    if not isinstance(rows, list) or len(rows) > MAX_ERROR_COSTS:
        yield FieldError(
            "/cost_model/error_costs", f"must be a list of at most {MAX_ERROR_COSTS} rows"
        )
        return
    seen: set[str] = set()
    for i, row in enumerate(rows):
        at = f"/cost_model/error_costs/{i}"
        if not isinstance(row, dict) or set(row) != {"true", "given", "cost"}:
            yield FieldError(at, f"{shown(row)} is not an object of true, given and cost")
            continue
        for side in ("true", "given"):
            if row[side] not in labels:
                detail = f"{shown(row[side])} is not in the label set {shown(labels)}"
                yield FieldError(f"{at}/{side}", detail)
        pair = repr((row["true"], row["given"]))
        if pair in seen:
            yield FieldError(at, f"the cost of {shown(pair)} is there twice")
        seen.add(pair)
        yield from _money_fault(f"{at}/cost", row["cost"])


def _window_faults(data: dict[str, Any]) -> Iterator[FieldError]:
    begin, end = _day(data.get("reference_from")), _day(data.get("reference_to"))
    if begin and end and begin >= end:
        yield FieldError("/reference_to", f"{end} is not after reference_from={begin}")
