"""The example mappings, read through with the real file that they were written for."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.common.errors import BadInput
from apps.decisions.domain.envelope import compile_validator
from apps.decisions.domain.mapping import RowMapper, mapped_rows, mapping_from_toml
from apps.decisions.domain.readers import open_reader
from apps.decisions.domain.review_line import validate_outcome, validate_review
from apps.decisions.domain.schema import schema_from_document

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
EXAMPLES = ROOT / "docs" / "examples" / "recidivism"
FILE = SHARED / "data" / "recidivism-judgements.csv"
NOW = datetime(2026, 11, 2, tzinfo=UTC)
SCHEMA = schema_from_document(json.loads((EXAMPLES / "use_case.json").read_text())["use_case"])

pytestmark = pytest.mark.skipif(
    not FILE.exists() and os.environ.get("CI") != "true", reason="../shared is absent"
)


def bodies(name):
    mapping = mapping_from_toml((EXAMPLES / f"{name}.toml").read_text())
    reader = open_reader(FILE)
    mapper = RowMapper(mapping, reader.columns, SCHEMA)
    rows = [row.body for row in mapped_rows(reader, mapper)]
    reader.close()
    assert not [row for row in rows if isinstance(row, BadInput)]
    return rows, mapper.repeats


def test_1000_people_are_1000_decisions_and_their_other_rows_are_repeats():
    rows, repeats = bodies("decisions")
    validator = compile_validator(SCHEMA)
    valid = [validator.validate({**row, "use_case": "recidivism-risk"}, NOW) for row in rows]
    assert (len(valid), repeats) == (1_000, 18_760)  # 19,760 rows
    assert len({decision.external_id for decision in valid}) == 1_000
    assert all(len(decision.features) == 6 for decision in valid)
    # at decile 5, and there alone, the label "high" has the lower score of 0.45 against 0.55
    assert {d.confidence for d in valid if d.label_not_top} == {0.55}
    races = Counter(str(decision.subject_attributes["def_race"]) for decision in valid)
    assert races == {"African-American": 500, "Caucasian": 500}
    # 0.56 of 500 and 0.34 of 500 are rated high
    high = Counter(d.subject_attributes["def_race"] for d in valid if d.label == "high")
    assert high == {"African-American": 280, "Caucasian": 170}


def test_every_row_is_a_judgement_and_40_repeat_a_reviewer_and_a_person():
    rows, repeats = bodies("reviews")
    valid = [validate_review(row, SCHEMA.labels, NOW) for row in rows]
    assert (len(valid), repeats) == (19_760, 0)
    assert len({review.reviewer for review in valid}) == 966
    first: dict[tuple[str, str], str] = {}
    changed = 0
    for review in valid:
        verdict = first.setdefault((review.reviewer, review.external_id), review.label)
        changed += verdict != review.label
    assert (len(valid) - len(first), changed) == (40, 21)
    assert all(review.saw_ai is False for review in valid)


def test_the_ai_is_right_about_639_of_1000():
    outcomes, repeats = bodies("outcomes")
    truth = {
        o.external_id: o.label for o in (validate_outcome(b, SCHEMA.labels, NOW) for b in outcomes)
    }
    given = {str(b["external_id"]): b["output"] for b in bodies("decisions")[0]}
    assert (len(truth), repeats) == (1_000, 18_760)
    assert sum(given[key]["label"] == label for key, label in truth.items()) == 639
