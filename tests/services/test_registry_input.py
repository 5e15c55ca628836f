"""What is no use case is refused by its pointer, and nothing of it is written."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audit.models import PendingRecord
from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict
from apps.registry.models import UseCase
from apps.registry.services import USE_CASE_FIELDS, use_case_create, use_case_update

ROOT = Actor.command("root")
LABELS = ["approve", "deny"]
NOT_TEXT = [None, 7, True, ["x"], {"x": 1}]


def written() -> tuple[int, int, int]:
    return UseCase.objects.count(), UseCase.history.count(), PendingRecord.objects.count()


def refused(data: dict[str, Any]) -> set[str]:
    """The pointers of the refusal; nothing was written."""
    before = written()
    with pytest.raises(BadInput) as refusal:
        use_case_create(actor=ROOT, reason="r", **{"slug": "loan", "labels": LABELS, **data})
    assert written() == before
    return {error.pointer for error in refusal.value.errors}


def feature(**data: Any) -> dict[str, Any]:
    return {"name": "income", "type": "number", **data}


def cost(**data: Any) -> dict[str, Any]:
    return {"true": "deny", "given": "approve", "cost": "10", **data}


CASES: list[tuple[dict[str, Any], str]] = [
    # slug
    *[({"slug": slug}, "/slug") for slug in ("", "A", "a b", "-a", "a--b", "a_b", "a\n", "é")],
    ({"slug": "a" * 81}, "/slug"),
    ({"slug": "a\x00"}, "/slug"),
    *[({"slug": value}, "/slug") for value in NOT_TEXT],
    # plain fields
    *[
        ({name: value}, f"/{name}")
        for name in ("name", "description", "industry", "risk_tier", "goal", "lifecycle")
        for value in NOT_TEXT
    ],
    ({"name": ""}, "/name"),
    ({"name": "n" * 201}, "/name"),
    ({"name": "a\x00b"}, "/name"),
    ({"description": "\ud800"}, "/description"),
    ({"risk_tier": "extreme"}, "/risk_tier"),
    ({"goal": "profit"}, "/goal"),
    ({"lifecycle": "suspended"}, "/lifecycle"),
    ({"lifecycle": "retired"}, "/lifecycle"),
    ({"unknown_features": "drop"}, "/unknown_features"),
    ({"models_mode": "closed"}, "/models_mode"),
    *[({"retention_days": value}, "/retention_days") for value in (0, -1, 36_501, "365", 1.5)],
    *[({"retention_days": value}, "/retention_days") for value in (None, True, [1], math.inf)],
    *[({"tolerance": value}, "/tolerance") for value in (-1, "-0.1", "x", None, True, [], {})],
    *[({"tolerance": value}, "/tolerance") for value in (math.nan, math.inf, "NaN", "1e20")],
    ({"tolerance": "0.00001"}, "/tolerance"),
    ({"tolerance": Decimal(10) ** 14}, "/tolerance"),
    *[({"reference_from": v}, "/reference_from") for v in (5, True, "yesterday", "2026-02-30", [])],
    ({"reference_from": "2026-02-01", "reference_to": "2026-02-01"}, "/reference_to"),
    ({"reference_from": "2026-02-01", "reference_to": "2026-01-01"}, "/reference_to"),
    *[({"owner": value}, "/owner") for value in ("ann", 7, {"id": 1})],
    # keys
    ({"colour": "red"}, "/colour"),
    ({"id": "x"}, "/id"),
    ({"history": []}, "/history"),
    ({"a/b": 1}, "/a~1b"),
    # kinds
    *[({"kinds": value}, "/kinds") for value in (None, "label", {}, [], 7, True)],
    ({"kinds": ["picture"]}, "/kinds/0"),
    ({"kinds": ["label", "label"]}, "/kinds/1"),
    ({"kinds": [["label"]]}, "/kinds/0"),
    ({"kinds": [None]}, "/kinds/0"),
    ({"kinds": [{}]}, "/kinds/0"),
    # reason codes and business hours
    *[({"reason_codes": value}, "/reason_codes") for value in (None, "x", {"a": 1}, 7)],
    ({"reason_codes": [str(n) for n in range(201)]}, "/reason_codes"),
    ({"reason_codes": ["a", " "]}, "/reason_codes/1"),
    ({"reason_codes": ["a", "a"]}, "/reason_codes/1"),
    ({"reason_codes": ["n" * 81]}, "/reason_codes/0"),
    # the time below which a confirmation is hasty
    *[({"hasty_seconds": v}, "/hasty_seconds") for v in (0, -1, 3_601, "5", 5.5, True, [], 10**30)],
    *[({"calendar": value}, "/calendar") for value in ([], "x", 7)],
    ({"calendar": {"timezone": "Mars/Olympus", "hours": {"0": []}}}, "/calendar/timezone"),
    (
        {"calendar": {"timezone": "UTC", "hours": {"0": [["17:00", "09:00"]]}}},
        "/calendar/hours/0/0",
    ),
    # labels
    *[({"labels": value}, "/labels") for value in (None, "approve", {"a": 1}, 7, True, [], ["x"])],
    ({"labels": [str(n) for n in range(501)]}, "/labels"),
    ({"labels": ["a", ""]}, "/labels/1"),
    ({"labels": ["a", "  "]}, "/labels/1"),
    ({"labels": ["a", "a"]}, "/labels/1"),
    ({"labels": ["a", "b", None]}, "/labels/2"),
    ({"labels": [["a"], "b"]}, "/labels/0"),
    ({"labels": [{"a": 1}, "b"]}, "/labels/0"),
    ({"labels": ["a", 1]}, "/labels/1"),
    ({"labels": ["a", "n" * 201]}, "/labels/1"),
    ({"labels": ["a", "b\x00"]}, "/labels/1"),
    ({"favourable_label": "maybe"}, "/favourable_label"),
    ({"positive_label": "maybe"}, "/positive_label"),
    *[({"favourable_label": value}, "/favourable_label") for value in NOT_TEXT],
    *[({"positive_label": value}, "/positive_label") for value in NOT_TEXT],
    # features and subject attributes
    *[
        ({part: value}, f"/{part}")
        for part in ("features", "subject_attributes")
        for value in (None, "income", {}, 7)
    ],
    *[({"features": [value]}, "/features/0") for value in (None, "income", 7, [], [[]])],
    ({"features": [{}]}, "/features/0/name"),
    ({"features": [{}]}, "/features/0/type"),
    ({"features": [feature(), feature()]}, "/features/1/name"),
    ({"features": [feature(name="")]}, "/features/0/name"),
    ({"features": [feature(name=["x"])]}, "/features/0/name"),
    ({"features": [feature(name="x\ud800")]}, "/features/0/name"),
    *[({"features": [feature(type=v)]}, "/features/0/type") for v in ("int", None, [], {}, 1)],
    *[({"features": [feature(protected=v)]}, "/features/0/protected") for v in ("yes", 1, None)],
    *[({"features": [feature(description=v)]}, "/features/0/description") for v in (1, [], None)],
    ({"features": [feature(unit="EUR")]}, "/features/0/unit"),
    ({"features": [feature(**{"a/~b": 1})]}, "/features/0/a~1~0b"),
    ({"features": [feature(name=f"f{n}") for n in range(2001)]}, "/features"),
    ({"subject_attributes": [feature(), feature()]}, "/subject_attributes/1/name"),
    # costs
    *[({"cost_model": value}, "/cost_model") for value in (None, [], "40", 40)],
    ({"cost_model": {"price": "1"}}, "/cost_model/price"),
    *[
        ({"cost_model": {"setup_cost": value}}, "/cost_model/setup_cost")
        for value in ("-1", "NaN", "Infinity", "1e3", "", " 1", "1,5", "١", 1, 1.5, None, [], {})
    ],
    ({"cost_model": {"setup_cost": "1" * 15}}, "/cost_model/setup_cost"),
    *[
        ({"cost_model": {"currency": value}}, "/cost_model/currency")
        for value in ("euro", "eur", "€€€", "E1R", "EUR ", "", None, 978, [])
    ],
    *[({"cost_model": {"baseline": v}}, "/cost_model/baseline") for v in ("none", None, [], {})],
    *[({"cost_model": {"error_costs": v}}, "/cost_model/error_costs") for v in (None, {}, "x", 1)],
    *[
        ({"cost_model": {"error_costs": [v]}}, "/cost_model/error_costs/0")
        for v in (None, "x", [], {}, {"true": "deny"}, cost(note="x"))
    ],
    ({"cost_model": {"error_costs": [cost(true="no")]}}, "/cost_model/error_costs/0/true"),
    ({"cost_model": {"error_costs": [cost(given=["deny"])]}}, "/cost_model/error_costs/0/given"),
    ({"cost_model": {"error_costs": [cost(cost=5)]}}, "/cost_model/error_costs/0/cost"),
    ({"cost_model": {"error_costs": [cost(cost="-5")]}}, "/cost_model/error_costs/0/cost"),
    ({"cost_model": {"error_costs": [cost(), cost(cost="7")]}}, "/cost_model/error_costs/1"),
]


@pytest.mark.parametrize(("data", "pointer"), CASES)
def test_bad_input_is_refused_by_its_pointer(db: None, data: dict[str, Any], pointer: str) -> None:
    assert pointer in refused(data)


def test_every_fault_is_named_at_once(db: None) -> None:
    assert refused(
        {
            "kinds": ["picture"],
            "favourable_label": "maybe",
            "features": [feature(type="int")],
            "cost_model": {"currency": "euro", "setup_cost": "-1"},
        }
    ) == {
        "/kinds/0",
        "/favourable_label",
        "/features/0/type",
        "/cost_model/currency",
        "/cost_model/setup_cost",
    }


def test_a_second_use_case_of_one_slug_is_a_conflict(db: None) -> None:
    use_case_create(actor=ROOT, reason="r", slug="loan", labels=LABELS)
    before = written()
    with pytest.raises(Conflict, match="'loan' exists already"):
        use_case_create(actor=ROOT, reason="r", slug="loan", labels=["x", "y"])
    assert written() == before


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lifecycle": "live"}, "/lifecycle"),
        ({"colour": "red"}, "/colour"),
        ({"labels": ["yes", "no"]}, "/favourable_label"),
        ({"labels": None}, "/labels"),
        ({"kinds": []}, "/kinds"),
        ({"risk_tier": 3}, "/risk_tier"),
        ({"cost_model": {"error_costs": [cost(true="maybe")]}}, "/cost_model/error_costs/0/true"),
    ],
)
def test_a_bad_change_is_refused_and_the_use_case_stays(
    db: None, change: dict[str, Any], pointer: str
) -> None:
    use_case_create(actor=ROOT, reason="r", slug="loan", labels=LABELS)
    before = written(), UseCase.objects.values().get()
    with pytest.raises(BadInput) as refusal:
        use_case_update(actor=ROOT, slug="loan", reason="r", **change)
    assert pointer in {error.pointer for error in refusal.value.errors}
    assert (written(), UseCase.objects.values().get()) == before


def test_a_long_value_is_quoted_in_part(db: None) -> None:
    with pytest.raises(BadInput) as refusal:
        use_case_create(actor=ROOT, reason="r", slug="loan", labels=["x" * 100_000, "y"])
    assert len(str(refusal.value)) < 1000


# --- Anything at all ------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["label", "number", "approve", "2026-01-31", "12.50", "EUR", "live", "\x00"])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=6) | st.sampled_from(["name", "type", "true", "given", "cost"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
definitions = st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(USE_CASE_FIELDS), anything))
plausible = st.fixed_dictionaries(
    {"slug": st.just("loan"), "labels": st.just(LABELS)},
    optional=dict.fromkeys(sorted(USE_CASE_FIELDS - {"slug", "labels"}), anything),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=definitions | plausible | st.dictionaries(st.text(max_size=8), anything, max_size=3))
def test_any_json_is_a_use_case_or_bad_input(db: None, data: dict[str, Any]) -> None:
    data = {name: value for name, value in data.items() if name not in {"actor", "reason"}}
    before = written()
    try:
        with transaction.atomic():
            made = use_case_create(actor=ROOT, reason="r", **data)
            assert UseCase.objects.filter(pk=made.pk).exists()
            transaction.set_rollback(True)
    except (BadInput, Conflict):
        pass
    assert written() == before
