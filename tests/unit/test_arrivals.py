"""Arrivals as they go to another process, and the ids that they get."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from uuid import RFC_4122, UUID

import pytest

from apps.common.ids import uuid7_texts
from apps.decisions.domain.envelope import compile_validator
from apps.decisions.domain.outputs import KINDS
from apps.decisions.domain.schema import DecisionSchema
from apps.workflow.arrivals import arrival, packed, unpacked

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
VALIDATOR = compile_validator(
    DecisionSchema(
        "loans", ("no", "yes"), KINDS, unknown_features="keep", unknown_attributes="keep"
    )
)
BARE = {"use_case": "loans", "external_id": "a-1", "model": "m", "model_version": "1"}
LABEL = {"kind": "label", "output": {"label": "yes"}}
BODIES = {
    "no output": {"kind": "label", "output": None},
    "a bare label": LABEL,
    "whole scores": {
        "kind": "label",
        "output": {"label": "no", "confidence": 1, "scores": {"no": 1, "yes": 0}},
    },
    "a number": {"kind": "number", "output": {"value": 12.5, "low": 1, "high": 20.0}},
    "fields": {
        "kind": "fields",
        "output": {"fields": {"total": {"value": "1.00", "confidence": 0.00001}}},
    },
    "a text": {"kind": "text", "output": {"text": 'She said "no" \\ \n\u2028ü', "confidence": 0.5}},
    "an action": {
        "kind": "action",
        "output": {"name": "stop", "arguments": {"line": [3, {"deep": None}]}},
    },
    "everything": {
        **LABEL,
        "amount": "25000.00",
        "features": {"n": 0.1, "whole": 3.0, "tiny": 1e-7, "large": 1e300, "c": "x", "b": True},
        "subject": {"ref": "person-1", "attributes": {"sex": "F"}},
        "explanation": {"text": "because"},
        "evidence": [{"kind": "text", "title": "letter", "content": "so it is"}],
        "decided_at": "2026-11-01T10:00:00.123456+02:00",
    },
    "a subject without attributes": {**LABEL, "subject": {"ref": "person-1"}},
    "attributes alone": {**LABEL, "subject": {"attributes": {"sex": "F"}}},
}


def written(valid):
    return json.dumps(valid._asdict(), sort_keys=True, default=repr)


@pytest.mark.parametrize("given", BODIES.values(), ids=list(BODIES))
def test_an_arrival_comes_out_as_it_was_packed(given):
    here = arrival(7, VALIDATOR.validate({**BARE, **given}, NOW))
    there = unpacked(pickle.loads(pickle.dumps(packed(here))))
    assert there == here
    assert written(there.valid) == written(here.valid)  # 1, 1.0 and True are equal


def test_many_ids_rise_and_are_version_seven():
    ids = uuid7_texts(10_000, now_ms=1_760_000_000_000)
    assert ids == sorted(set(ids))
    read = [UUID(one) for one in ids]
    assert {(one.version, one.variant) for one in read} == {(7, RFC_4122)}
    stamps = [one.int >> 80 for one in read]
    assert (stamps[0], stamps[4095], stamps[4096], stamps[-1]) == (
        1_760_000_000_000,
        1_760_000_000_000,
        1_760_000_000_001,
        1_760_000_000_002,
    )
    assert len({one.int & 0x0FFF for one in read[:4096]}) > 2_000  # the ends are random


def test_ids_of_one_process_rise_from_call_to_call():
    ids = [one for count in (1, 3, 5_000, 1, 1) for one in uuid7_texts(count)]
    assert ids == sorted(set(ids))
