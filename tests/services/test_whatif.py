"""What-if: the frontier and simulated policies over stored decisions, against slow readings."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.common.errors import BadInput
from apps.decisions.models import Decision
from apps.metrics.domain.choice import Bounds, error_of
from apps.metrics.first_reading import Window
from apps.metrics.whatif import reading
from apps.metrics.whatif.basis import policy_read, policy_standing
from apps.metrics.whatif.frontiers import frontier_of
from apps.metrics.whatif.simulating import simulate
from apps.registry.models import UseCase
from apps.registry.services import use_case_update
from apps.supervision.mandates import mandate_issue
from tests.metrics.rows import ACTOR, DAY, define, judge, label, send, turn_out
from tests.metrics.what_if import COSTS, One, cases, slow_accuracy
from tests.services.gates import policy_in_force

EVERYTHING = Window()
COST_MODEL = {
    "ai_cost_per_decision": "0.01",
    "review_cost_per_hour": "30",
    "review_minutes_default": "2",
    "error_costs": [
        {"true": true, "given": given, "cost": str(cost)} for (true, given), cost in COSTS.items()
    ],
}


def set_up(**policy: Any) -> UseCase:
    """A use case with a protected attribute, a feature, prices and a policy in force."""
    define(**policy)
    return use_case_update(
        actor=ACTOR,
        slug="loans",
        reason="for the suite",
        cost_model=COST_MODEL,
        features=[{"name": "income", "type": "number"}],
        subject_attributes=[{"name": "sex", "type": "category", "protected": True}],
    )


def stored(use_case: UseCase, rows: list[One], make_person: Any, *, past: bool = True) -> None:
    """The cases as decisions, verdicts and outcomes."""
    bodies = [
        label(
            f"case-{i}",
            one.given,
            one.confidence,
            subject={"ref": f"s-{i}", "attributes": {"sex": one.group}},
            features={"income": i},
        )
        for i, one in enumerate(rows)
    ]
    send(use_case, bodies, past=past)
    people = [make_person(f"person-{i}") for i in range(max(len(one.verdicts) for one in rows))]
    for i, one in enumerate(rows):
        for person, said in zip(people, one.verdicts, strict=False):
            judge(f"case-{i}", person, said)
        if one.true is not None:
            turn_out(f"case-{i}", one.true)


def frontier(use_case: UseCase, **choice: Any) -> dict[str, Any]:
    return frontier_of(use_case, EVERYTHING, policy_standing(use_case), **choice)


def simulated(use_case: UseCase, **document: Any) -> dict[str, Any]:
    return simulate(use_case, policy_read(use_case, {"level": "HITL", **document}), EVERYTHING)


@pytest.mark.django_db
def test_the_frontier_is_what_a_reading_case_by_case_gives(make_person: Any) -> None:
    use_case, rows = set_up(reviews_required=2), cases(80, 11)
    stored(use_case, rows, make_person)
    found = frontier(use_case)
    assert [point["review_share"] for point in found["points"]] == [i / 100 for i in range(101)]
    for share in range(0, 101, 5):
        accuracy, imputed = slow_accuracy(rows, share)
        point = found["points"][share]
        assert point["accuracy_single"] == pytest.approx(accuracy, abs=1e-12)
        assert point["imputed"] == imputed
    known = [one for one in rows if one.true is not None]
    judged = [(one, said) for one in known for said in one.verdicts]
    right = sum(said == one.true for one, said in judged)
    assert found["ai"]["value"] == sum(one.given == one.true for one in known) / len(known)
    assert (found["human"]["value"], found["human"]["n"]) == (right / len(judged), len(judged))
    means = [
        one.verdicts.count(one.true or "") / len(one.verdicts) for one in known if one.verdicts
    ]
    assert found["human"]["mean_by_case"] == pytest.approx(sum(means) / len(means))
    favoured = {g: [one.given == "low" for one in rows if one.group == g] for g in "ab"}
    shares = [sum(each) / len(each) for each in favoured.values()]
    impact = found["points"][0]["impact_ratio"]["sex"]
    assert impact["value"] == pytest.approx(min(shares) / max(shares))
    # two people, two minutes each, for all of 1,000 decisions
    assert found["points"][100]["reviewer_hours"] == pytest.approx(1000 * 2 * 2 / 60)
    without = sum(one.true is None for one in rows)
    assert any(
        note.startswith(f"{without} of 80 decisions have no outcome") for note in found["assumed"]
    )
    json.dumps(found, allow_nan=False)


@pytest.mark.django_db
def test_the_outputs_of_each_label_have_a_frontier_of_their_own(make_person: Any) -> None:
    use_case, rows = set_up(), cases(60, 4)
    stored(use_case, rows, make_person)
    found = frontier(use_case)["by_label"]
    for given in ("low", "high"):
        own = [one for one in rows if one.given == given]
        assert found[given]["n"] == len(own)
        for point in found[given]["points"]:
            accuracy, _ = slow_accuracy(own, round(point["review_share"] * 100))
            assert point["accuracy_single"] == pytest.approx(accuracy, abs=1e-12)


@pytest.mark.django_db
def test_audit_rates_start_from_what_the_thresholds_let_pass(make_person: Any) -> None:
    use_case, rows = set_up(confidence_threshold=0.7, label_thresholds={"high": 0.9}), cases(100, 2)
    stored(use_case, rows, make_person)
    audit = frontier(use_case)["audit"]
    limit = {"low": 0.7, "high": 0.9}
    passed = [one for one in rows if one.confidence >= limit[one.given]]
    assert audit["n"] == len(passed)
    half = next(point for point in audit["points"] if point["audit_rate"] == 0.5)
    assert half["automatic_share"] == pytest.approx(0.5 * len(passed) / 100)
    hours = (100 - len(passed) / 2) * 2 / 60 * 10
    assert half["reviewer_hours"] == pytest.approx(hours)
    known = [one for one in passed if one.true is not None]
    assert audit["error"]["n"] == len(known)


# Three goals, three policies


def three_ways() -> list[One]:
    """Ten cases a level: (AI right, people right) of ten. Two people, who always agree."""
    levels = {0.55: (2, 10), 0.65: (6, 10), 0.75: (10, 8), 0.85: (10, 9), 0.95: (10, 9)}
    return [
        One(
            confidence,
            "low" if i < ai else "high",
            "low",
            ("low", "low") if i < people else ("high", "high"),
        )
        for confidence, (ai, people) in levels.items()
        for i in range(10)
    ]


@pytest.mark.django_db
def test_three_goals_choose_three_policies_under_the_same_limits(make_person: Any) -> None:
    use_case = set_up()
    stored(use_case, three_ways(), make_person)
    bounds = Bounds(max_error=0.1)
    found = frontier(use_case, bounds=bounds)["recommended"]
    # accuracy: without the AI's errors below 0.75 none is left; speed: 4 of 50 wrong are within the
    # limit once those below 0.65 are reviewed; consistency: people agree with each other everywhere
    # (4 of 50 wrong), and with the AI nowhere entirely
    chosen = {goal: found[goal]["threshold"] for goal in ("accuracy", "speed", "consistency")}
    assert chosen == {"accuracy": 0.75, "speed": 0.65, "consistency": 1.0}
    errors = {goal: round(error_of(found[goal]), 12) for goal in chosen}
    assert errors == {"accuracy": 0.0, "speed": 0.08, "consistency": 0.08}
    # the recommended document, routed decision by decision, does what the frontier said
    for goal in chosen:
        then = simulated(use_case, **found[goal]["document"])["then"]
        assert then["expected_error"]["value"] == pytest.approx(errors[goal], abs=1e-12)
        assert then["reviewed"] == found[goal]["reviewed"]
        assert then["reviewer_hours"] == pytest.approx(found[goal]["reviewer_hours"])
        assert float(then["cost_per_decision"]) == pytest.approx(
            float(found[goal]["cost"]), abs=2e-6
        )


@pytest.mark.django_db
def test_the_use_cases_own_goal_is_the_best_point_and_limits_can_rule_it_out(
    make_person: Any,
) -> None:
    use_case = set_up()
    stored(use_case, three_ways(), make_person)
    assert frontier(use_case)["best"]["threshold"] == 0.75
    # no error at all takes 400 of 1,000 decisions, two minutes each: 13.3 hours
    none = frontier(use_case, bounds=Bounds(max_error=0.0, max_hours=13.0))["best"]
    assert (none["threshold"], none["review_share"]) == (None, None)
    assert "no point keeps to all limits" in none["why"]
    some = frontier(use_case, goal="speed", bounds=Bounds(max_error=0.0, max_hours=14.0))["best"]
    assert some["threshold"] == 0.75


# A whole policy


def rules() -> list[dict[str, Any]]:
    return [
        {"name": "poor", "when": {"field": "feature.income", "op": "<", "value": 10}, "then": "review"},
        {"name": "b", "when": {"field": "subject.sex", "op": "==", "value": "b"}, "then": "sample",
         "rate": 0.5},
    ]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("level", ["HITL", "HOTL"])
def test_the_policy_in_force_again_changes_nothing(make_person: Any, level: str) -> None:
    use_case = set_up_rules(define(), level)
    stored(use_case, cases(120, 8), make_person, past=False)
    lanes = set(Decision.objects.values_list("lane", flat=True))
    assert len(lanes) > 1
    policy = policy_standing(use_case)
    assert policy is not None
    found = simulate(use_case, policy, EVERYTHING)
    assert (found["routed"], found["changes"]["n"], found["changes"]["first"]) == (120, 0, [])
    assert found["lanes"]["now"] == found["lanes"]["then"]
    assert found["now"] == found["then"]
    drawn = Decision.objects.filter(reason_codes__contains="random_audit").count()
    assert drawn > 0


def set_up_rules(use_case: UseCase, level: str) -> UseCase:
    """The definition that the rules read, and then the policy with the rules in force."""
    use_case = use_case_update(
        actor=ACTOR,
        slug=use_case.slug,
        reason="for the suite",
        cost_model=COST_MODEL,
        features=[{"name": "income", "type": "number"}],
        subject_attributes=[{"name": "sex", "type": "category", "protected": True}],
    )
    policy_in_force(use_case, level=level, rules=rules(), confidence_threshold=0.6, audit_rate=0.3)
    return use_case


@pytest.mark.django_db
def test_a_stricter_threshold_is_counted_case_by_case(make_person: Any) -> None:
    use_case, rows = set_up(confidence_threshold=0.6), cases(90, 3)
    stored(use_case, rows, make_person)
    found = simulated(use_case, confidence_threshold=0.8)
    now = [one for one in rows if one.confidence < 0.6]
    then = [one for one in rows if one.confidence < 0.8]
    assert found["lanes"]["now"]["review"]["n"] == len(now)
    assert found["lanes"]["then"]["review"] == {"n": len(then), "share": len(then) / 90}
    assert found["changes"]["by_lane"] == [
        {"from": "automatic", "to": "review", "n": len(then) - len(now)}
    ]
    first = found["changes"]["first"]
    assert len(first) == len(then) - len(now)
    assert first[0]["reasons"] == [
        {"code": "confidence_below_threshold", "rule": "confidence_threshold"}
    ]
    assert first[0]["was"] == ["within_policy"]
    # the error case by case: unseen as the AI, seen as people, what is not known as its bin
    assert found["then"]["expected_error"]["value"] == pytest.approx(1 - slow_split(rows, then))
    judged = sum(one.true is not None and bool(one.verdicts) for one in then)
    known = sum(one.true is not None for one in rows if one.confidence >= 0.8)
    assert found["then"]["expected_error"]["n"] == judged + known
    assert found["then"]["expected_error"]["imputed"] == 90 - judged - known
    assert found["then"]["reviewer_hours"] == pytest.approx(len(then) / 90 * 1000 * 2 / 60)


def slow_split(rows: list[One], seen: list[One]) -> float:
    """The share of right answers, one case after the other."""

    def bin_of(one: One) -> int:
        return min(int(one.confidence * 15), 14)

    def people(one: One) -> float:
        return one.verdicts.count(one.true or "") / len(one.verdicts)

    known = [one for one in rows if one.true is not None]
    judged = [one for one in known if one.verdicts]
    total = 0.0
    for one in rows:
        among, value = (judged, people) if one in seen else (known, lambda o: o.given == o.true)
        if one in among:
            total += value(one)
            continue
        near = [other for other in among if bin_of(other) == bin_of(one)] or among
        total += sum(value(other) for other in near) / len(near)
    return total / len(rows)


@pytest.mark.django_db
def test_the_impact_ratio_is_the_ais_where_unseen_and_peoples_where_seen(make_person: Any) -> None:
    use_case, rows = set_up(), cases(90, 6)
    stored(use_case, rows, make_person)
    found = simulated(use_case, confidence_threshold=0.75)["then"]["impact_ratio"]["sex"]
    shares = {}
    for group in "ab":
        own = [one for one in rows if one.group == group]
        said = [one.verdicts.count("low") / len(one.verdicts) for one in own if one.verdicts]
        mean = sum(said) / len(said)
        each = [
            float(one.given == "low")
            if one.confidence >= 0.75
            else (one.verdicts.count("low") / len(one.verdicts) if one.verdicts else mean)
            for one in own
        ]
        shares[group] = sum(each) / len(each)
        assert found["groups"][group]["share"] == pytest.approx(shares[group])
    assert found["value"] == pytest.approx(min(shares.values()) / max(shares.values()))
    assert found["low_group"] == min(shares, key=lambda name: shares[name])


@pytest.mark.django_db
def test_chunks_of_any_size_give_the_same(
    make_person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case, rows = set_up(), cases(40, 9)
    stored(use_case, rows, make_person)
    document = {"confidence_threshold": 0.7, "audit_rate": 0.2, "rules": rules()}
    whole = simulated(use_case, **document)
    assert whole["changes"]["n"] > 0
    assert reading.read_chunks.__defaults__ == (reading.CHUNK,)
    monkeypatch.setattr(reading.read_chunks, "__defaults__", (7,))
    again = simulated(use_case, **document)
    assert again["lanes"] == whole["lanes"]
    assert again["changes"] == whole["changes"]
    for way in ("now", "then"):
        one, other = again[way]["expected_error"], whole[way]["expected_error"]
        assert one["value"] == pytest.approx(other["value"], abs=1e-12)


@pytest.mark.django_db
def test_a_mandate_is_used_up_from_chunk_to_chunk(
    make_person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = set_up()
    stored(use_case, cases(30, 1), make_person)
    mandate_issue(
        actor=ACTOR,
        use_case=use_case,
        scope={"field": "confidence", "op": ">=", "value": 0.6},
        max_count=5,
        valid_to=timezone.now() + timedelta(days=1),
        reason="trial",
    )
    monkeypatch.setattr(reading.read_chunks, "__defaults__", (4,))
    found = simulated(use_case, level="HIC")
    assert {lane: one["n"] for lane, one in found["lanes"]["then"].items()} == {
        "automatic": 5,
        "command": 25,
    }
    assert any("mandates" in note for note in found["assumed"])


@pytest.mark.django_db
def test_of_too_many_decisions_the_newest_are_routed_and_it_says_so(make_person: Any) -> None:
    use_case = set_up(confidence_threshold=0.6)
    stored(use_case, cases(30, 1), make_person)
    policy = policy_standing(use_case)
    assert policy is not None
    found = simulate(use_case, policy, EVERYTHING, most=12)
    assert (found["decisions"], found["routed"]) == (30, 12)
    assert "of 30 decisions the newest 12 were routed" in found["assumed"]


@pytest.mark.django_db
def test_the_window_is_that_of_the_decisions(make_person: Any) -> None:
    use_case = set_up()
    stored(use_case, cases(10, 1), make_person)
    policy = policy_standing(use_case)
    assert policy is not None
    for window, n in ((Window(DAY, None), 10), (Window(None, DAY), 0)):
        assert simulate(use_case, policy, window)["routed"] == n
        assert frontier_of(use_case, window, policy)["n"] == n


@pytest.mark.django_db
def test_a_case_without_an_output_waits_for_people_and_is_in_no_frontier(make_person: Any) -> None:
    use_case = set_up()
    send(use_case, [label("a", None), label("b", "low", 0.9)])
    turn_out("a", "low")
    judge("a", make_person("carl"), "low")
    found = simulated(use_case)
    assert {lane: one["n"] for lane, one in found["lanes"]["then"].items()} == {
        "automatic": 1,
        "review": 1,
    }
    document = frontier(use_case)
    assert document["n"] == 1
    assert "1 cases without an output of a model are left out" in document["assumed"]


@pytest.mark.django_db
def test_without_decisions_each_figure_says_so() -> None:
    use_case = set_up()
    found, document = simulated(use_case), frontier(use_case)
    assert (found["routed"], found["lanes"]["then"], found["changes"]["n"]) == (0, {}, 0)
    assert found["then"]["expected_error"]["value"] is None
    assert "there are no decisions" in found["then"]["expected_error"]["why"]
    assert document["points"] == []
    assert "there are no decisions" in document["best"]["why"]
    json.dumps([found, document], allow_nan=False)


@pytest.mark.django_db
def test_without_outcomes_the_lanes_are_known_and_the_error_is_not(make_person: Any) -> None:
    use_case = set_up()
    rows = [one._replace(true=None) for one in cases(20, 1)]
    stored(use_case, rows, make_person)
    found = simulated(use_case, confidence_threshold=0.8)
    assert found["lanes"]["then"]["review"]["n"] == sum(one.confidence < 0.8 for one in rows)
    assert found["then"]["expected_error"]["value"] is None
    assert found["then"]["cost_per_decision"] is None
    assert found["then"]["impact_ratio"]["sex"]["value"] is not None
    assert frontier(use_case)["points"][0]["accuracy_single"] is None


# The command


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("simulate_policy", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_gives_the_documents(make_person: Any, tmp_path: Path) -> None:
    use_case = set_up(confidence_threshold=0.6)
    stored(use_case, cases(30, 5), make_person)
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"level": "HITL", "confidence_threshold": 0.9}))
    found = json.loads(run(str(file), "--use-case", "loans", "--json"))
    assert found["policy"]["id"] is None
    assert found["lanes"]["then"]["review"]["n"] > found["lanes"]["now"]["review"]["n"]
    standing = json.loads(run("--use-case", "loans", "--json"))
    assert (standing["policy"]["number"], standing["changes"]["n"]) == (1, 0)
    points = json.loads(run("--use-case", "loans", "--frontier", "--json"))
    assert {"points", "best", "ai", "human", "human_consensus"} <= points.keys()
    wanted = {"review_share", "threshold", "accuracy_single", "accuracy_consensus", "cost",
              "reviewer_hours", "impact_ratio", "imputed"}  # fmt: skip
    assert wanted <= points["points"][50].keys()
    bounded = json.loads(
        run("--use-case", "loans", "--frontier", "--json", "--goal", "speed", "--max-error", "0.2")
    )["best"]
    assert (bounded["goal"], bounded["bounds"]["max_error"]) == ("speed", 0.2)
    assert "would go another way" in run(str(file), "--use-case", "loans")
    assert "best for accuracy" in run("--use-case", "loans", "--frontier")


@pytest.mark.django_db
def test_a_policy_with_faults_is_refused_by_its_fields(tmp_path: Path) -> None:
    use_case = set_up()
    with pytest.raises(BadInput) as refused:
        policy_read(use_case, {"level": "HITL", "confidence_threshold": 2, "rule": []})
    assert {fault.pointer for fault in refused.value.errors} == {"/confidence_threshold", "/rule"}
    for text, words in (("{", "JSON"), ("[]", "object"), ('{"level": "X"}', "level")):
        file = tmp_path / "policy.json"
        file.write_text(text)
        with pytest.raises(CommandError, match=words):
            run(str(file), "--use-case", "loans")
    with pytest.raises(CommandError, match="cannot be read"):
        run(str(tmp_path / "nothing.json"), "--use-case", "loans")
    with pytest.raises(CommandError, match="max_error"):
        run("--use-case", "loans", "--frontier", "--max-error", "1.5")
    with pytest.raises(CommandError, match="no use case"):
        run("--use-case", "nothing")


# Real input


@pytest.mark.real_data
def test_the_recidivism_data_gives_the_frontier_that_its_file_gives(
    committed_db: Any, shared: Path, tmp_path: Path
) -> None:
    example = Path(__file__).resolve().parents[2] / "docs/examples/recidivism"
    file = Path(shutil.copy(shared / "data" / "recidivism-judgements.csv", tmp_path))
    with file.open(encoding="utf-8", newline="") as lines:
        rows = real_cases(list(csv.DictReader(lines)))
    quiet = {"stdout": StringIO(), "stderr": StringIO()}
    call_command("load_use_case", str(example / "use_case.json"), **quiet)
    for command, mapped in (
        ("ingest", "decisions"),
        ("import_reviews", "reviews"),
        ("import_outcomes", "outcomes"),
    ):
        more = ["--past"] if command == "ingest" else []
        arguments = [
            str(file),
            "--use-case",
            "recidivism-risk",
            "--map",
            str(example / f"{mapped}.toml"),
        ]
        try:
            call_command(command, *arguments, *more, **quiet)
        except SystemExit as ended:
            assert ended.code == 1 and command == "import_reviews"
    out = StringIO()
    call_command(
        "simulate_policy", "--use-case", "recidivism-risk", "--frontier", "--json", stdout=out,
        stderr=StringIO(),
    )  # fmt: skip
    found = json.loads(out.getvalue())
    assert found["ai"]["value"] == 0.639
    assert (round(found["human"]["value"], 4), found["human"]["n"]) == (0.5840, 19_720)
    assert found["human_consensus"]["value"] == 0.607
    for share in (0, 7, 20, 50, 83, 100):
        accuracy, _ = slow_accuracy(rows, share)
        assert found["points"][share]["accuracy_single"] == pytest.approx(accuracy, abs=1e-9)
    white = {
        group: [one for one in rows if one.group == group]
        for group in ("African-American", "Caucasian")
    }
    shares = {g: sum(one.given == "low" for one in own) / len(own) for g, own in white.items()}
    ratio = found["points"][0]["impact_ratio"]["def_race"]
    # rated low: 0.44 and 0.66
    assert ratio["value"] == pytest.approx(0.44 / 0.66)
    assert ratio["value"] == pytest.approx(min(shares.values()) / max(shares.values()))


def real_cases(lines: list[dict[str, str]]) -> list[One]:
    """The file's cases, of each reviewer and person the first judgement."""
    verdicts: dict[str, dict[str, str]] = defaultdict(dict)
    first: dict[str, dict[str, str]] = {}
    for line in lines:
        first.setdefault(line["def_id"], line)
        said = "high" if line["resp_decision"] == "1" else "low"
        verdicts[line["def_id"]].setdefault(line["resp_id"], said)
    found = []
    for key, line in first.items():
        decile = int(line["decile_score"])
        score = (decile - 0.5) / 10
        found.append(
            One(
                round(max(score, 1 - score), 4),
                "high" if decile > 4 else "low",
                "high" if line["two_year_recid"] == "1" else "low",
                tuple(verdicts[key].values()),
                line["def_race"],
            )
        )
    return found
