"""load_use_case: a definition and its policy from one file, whole or not at all."""

from __future__ import annotations

import copy
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict, NotPermitted
from apps.policies.models import PolicyVersion
from apps.policies.services import policy_draft
from apps.registry.models import UseCase
from apps.registry.services import use_case_update
from apps.workflow.use_case_files import Loaded, use_case_load

pytestmark = pytest.mark.django_db

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/recidivism/use_case.json"
SMALL: dict[str, Any] = {
    "use_case": {"slug": "loan-approval", "labels": ["approve", "deny"]},
    "policy": {"level": "HITL"},
    "proposer": "risk.lead",
    "approver": "second.lead",
}


def changed(**changes: Any) -> dict[str, Any]:
    """The small file with members replaced; a dotted name reaches into the definition or policy."""
    file = copy.deepcopy(SMALL)
    for name, value in changes.items():
        part, _, key = name.partition("__")
        if key:
            file[part][key] = value
        else:
            file[part] = value
    return file


@pytest.fixture
def load(actor: Actor) -> Any:
    def from_document(document: object) -> Loaded:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        return use_case_load(actor=actor, raw=raw)

    return from_document


def pointers(error: BadInput) -> set[str]:
    return {fault.pointer for fault in error.errors}


def rows() -> tuple[int, int, int, int]:
    """How many people, use cases, policy versions and history rows of these there are."""
    return (
        User.objects.count(),
        UseCase.objects.count(),
        PolicyVersion.objects.count(),
        UseCase.history.count() + PolicyVersion.history.count() + User.history.count(),
    )


# --- Creating -------------------------------------------------------------------------------


def test_a_small_file_has_the_defaults_of_the_use_case_and_of_the_policy(load: Any) -> None:
    loaded = load(SMALL)
    use_case = UseCase.objects.get(slug="loan-approval")
    assert (use_case.name, use_case.risk_tier, use_case.lifecycle) == (
        "loan-approval",
        "limited",
        "live",
    )
    assert (use_case.kinds, use_case.favourable_label) == (["label"], "approve")
    assert (use_case.models_mode, use_case.cost_model) == ("open", {})
    document = loaded.policy.document
    assert (document["confidence_threshold"], document["rules"], document["audit_rate"]) == (
        0,
        [],
        0,
    )
    assert (document["reviews_required"], document["combination"], document["fallback"]) == (
        1,
        "single",
        "withhold",
    )


def test_the_policy_is_active_at_once_and_names_both_people(load: Any) -> None:
    policy = load(SMALL).policy
    held = PolicyVersion.objects.get(use_case_id="loan-approval")
    people = {user.username: str(user.pk) for user in User.objects.all()}
    assert (held.pk, held.number, held.status) == (policy.pk, 1, "active")
    assert (held.proposed_by, held.approved_by) == (people["risk.lead"], people["second.lead"])


def test_people_who_do_not_exist_become_risk_leads_without_a_password(load: Any) -> None:
    load(SMALL)
    for login in ("risk.lead", "second.lead"):
        user = User.objects.get(username=login)
        assert not user.has_usable_password()
        assert [(grant.role, grant.use_case) for grant in user.grants()] == [("risk_lead", "")]


def test_people_who_exist_stay_as_they_are(load: Any, make_person: Any) -> None:
    make_person("risk.lead", "risk_lead", "supervisor", password="correct horse battery staple")
    load(changed(approver="Second.Lead "))
    user = User.objects.get(username="risk.lead")
    assert user.has_usable_password()
    assert {grant.role for grant in user.grants()} == {"risk_lead", "supervisor"}
    assert User.objects.filter(username="second.lead").count() == 1


def test_the_history_names_the_operator_and_the_people(load: Any, actor: Actor) -> None:
    load(SMALL)
    assert UseCase.history.get().history_user_id == actor.id
    steps = PolicyVersion.history.order_by("history_id").values_list("history_user_name", "status")
    assert list(steps) == [
        ("risk.lead", "draft"),
        ("risk.lead", "proposed"),
        ("second.lead", "approved"),
        ("second.lead", "active"),
    ]
    reasons = set(PolicyVersion.history.values_list("history_change_reason", flat=True))
    assert reasons == {f"load_use_case by {actor.id}"}


def test_every_key_of_a_definition_is_taken_over(load: Any, make_person: Any) -> None:
    owner = make_person("the.owner")
    definition = {
        "name": "Loans",
        "description": "Consumer loans",
        "industry": "banking",
        "risk_tier": "high",
        "lifecycle": "pilot",
        "goal": "consistency",
        "owner": "the.owner",
        "kinds": ["label", "number"],
        "favourable_label": "approve",
        "positive_label": "deny",
        "features": [{"name": "income", "type": "number"}],
        "subject_attributes": [{"name": "sex", "type": "category", "protected": True}],
        "unknown_features": "keep",
        "tolerance": "0.5",
        "cost_model": {"currency": "EUR", "review_cost_per_hour": "40.00"},
        "reference_from": "2026-01-01",
        "reference_to": "2026-04-01",
        "retention_days": 400,
    }
    file = changed(use_case={**SMALL["use_case"], **definition, "models": "declared"})
    load(file)
    use_case = UseCase.objects.get(slug="loan-approval")
    for name in definition.keys() - {"owner", "tolerance", "reference_from", "reference_to"}:
        assert getattr(use_case, name) == definition[name]
    assert (use_case.owner, use_case.models_mode) == (owner, "declared")
    assert (str(use_case.reference_from), float(use_case.tolerance)) == ("2026-01-01", 0.5)
    before = rows()
    assert load(file).changed == ()
    assert rows() == before


# --- Loading again --------------------------------------------------------------------------


@pytest.mark.parametrize("document", [SMALL, json.loads(EXAMPLE.read_text())])
def test_the_same_file_again_changes_nothing(load: Any, document: dict[str, Any]) -> None:
    first = load(document)
    before = rows()
    again = load(document)
    assert (first.created, again.created, again.policy_added) == (True, False, False)
    assert (again.changed, again.policy.pk) == ((), first.policy.pk)
    assert rows() == before


def test_what_changed_of_the_definition_is_updated_and_named(load: Any) -> None:
    load(SMALL)
    loaded = load(
        changed(use_case__labels=["approve", "deny", "defer"], use_case__models="declared")
    )
    use_case = UseCase.objects.get(slug="loan-approval")
    assert loaded.changed == ("labels", "models")
    assert (use_case.labels, use_case.models_mode) == (["approve", "deny", "defer"], "declared")
    assert not loaded.policy_added


def test_a_key_that_the_file_leaves_out_stays_as_it_is(load: Any, actor: Actor) -> None:
    load(SMALL)
    use_case_update(actor=actor, slug="loan-approval", reason="named", name="Loans")
    assert load(SMALL).changed == ()
    assert UseCase.objects.get(slug="loan-approval").name == "Loans"


def test_another_policy_becomes_the_next_version(load: Any) -> None:
    load(SMALL)
    loaded = load(changed(policy__confidence_threshold=0.8))
    assert loaded.policy_added
    assert (loaded.policy.number, loaded.policy.document["confidence_threshold"]) == (2, 0.8)
    statuses = dict(PolicyVersion.objects.values_list("number", "status"))
    assert statuses == {1: "superseded", 2: "active"}


def test_a_policy_written_differently_with_the_same_meaning_is_the_same(load: Any) -> None:
    load(SMALL)
    loaded = load(changed(policy__confidence_threshold=0, policy__use_case="loan-approval"))
    assert not loaded.policy_added


def test_an_earlier_policy_loaded_again_is_a_new_version(load: Any) -> None:
    load(SMALL)
    load(changed(policy__audit_rate=0.1))
    assert load(SMALL).policy.number == 3


def test_a_draft_that_somebody_works_on_is_left_alone(load: Any, actor: Actor) -> None:
    loaded = load(SMALL)
    policy_draft(actor=actor, use_case=loaded.use_case, document={"level": "HOTL"})
    assert load(changed(policy__audit_rate=0.1)).policy.number == 3
    assert PolicyVersion.objects.get(number=2).status == "draft"


def test_a_new_label_and_a_policy_that_uses_it_come_together(load: Any) -> None:
    load(SMALL)
    file = changed(
        use_case__labels=["approve", "deny", "defer"], policy__always_review_labels=["defer"]
    )
    loaded = load(file)
    assert (loaded.changed, loaded.policy.number) == (("labels",), 2)


def test_the_lifecycle_moves_where_it_may(load: Any) -> None:
    load(changed(use_case__lifecycle="pilot"))
    assert load(changed(use_case__lifecycle="live")).changed == ("lifecycle",)
    assert UseCase.objects.get(slug="loan-approval").lifecycle == "live"


def test_a_file_does_not_bring_back_what_was_retired(load: Any) -> None:
    load(SMALL)
    load(changed(use_case__lifecycle="retired"))
    with pytest.raises(Conflict, match="cannot become 'live'"):
        load(changed(use_case__lifecycle="live", use_case__name="Back"))
    assert UseCase.objects.get(slug="loan-approval").name == "loan-approval"


# --- Refusals -------------------------------------------------------------------------------

ODD = {"when": {"field": "shoe_size", "op": ">", "value": 1}, "name": "odd", "then": "review"}
FAULTS: list[tuple[object, str]] = [
    (changed(surprise=1), "/surprise"),
    (changed(use_case__colour="red"), "/use_case/colour"),
    (changed(use_case__models_mode="open"), "/use_case/models_mode"),
    (changed(use_case__labels=["approve", ""]), "/use_case/labels/1"),
    (changed(use_case__labels=["approve"]), "/use_case/labels"),
    (changed(use_case__labels=None), "/use_case/labels"),
    (changed(use_case__models="ajar"), "/use_case/models"),
    (changed(use_case__risk_tier="grave"), "/use_case/risk_tier"),
    (changed(use_case__lifecycle="retired"), "/use_case/lifecycle"),
    (changed(use_case__slug="Loan Approval"), "/use_case/slug"),
    (changed(use_case__slug=7), "/use_case/slug"),
    (changed(use_case={"labels": ["a", "b"]}), "/use_case/slug"),
    (changed(use_case__owner="nobody"), "/use_case/owner"),
    (changed(use_case__owner=7), "/use_case/owner"),
    (changed(use_case__retention_days=True), "/use_case/retention_days"),
    (changed(use_case__reference_from="soon"), "/use_case/reference_from"),
    (changed(use_case__cost_model={"currency": 3}), "/use_case/cost_model/currency"),
    (changed(use_case__features=[{"name": "a", "type": "tree"}]), "/use_case/features/0/type"),
    (changed(use_case=[]), "/use_case"),
    (changed(policy=None), "/policy"),
    (changed(policy={}), "/policy/level"),
    (changed(policy__level="HUMAN"), "/policy/level"),
    (changed(policy__mood="stern"), "/policy/mood"),
    (changed(policy__use_case="another"), "/policy/use_case"),
    (changed(policy__rules=[ODD]), "/policy/rules/0/when/field"),
    (changed(policy__always_review_labels=["maybe"]), "/policy/always_review_labels/0"),
    (changed(proposer=7), "/proposer"),
    (changed(proposer=""), "/proposer"),
    (changed(proposer="two words"), "/proposer"),
    (changed(approver="risk.lead"), "/approver"),
    (changed(approver=" RISK.lead"), "/approver"),
    ({name: part for name, part in SMALL.items() if name != "approver"}, "/approver"),
    ([SMALL], ""),
    (b'{"use_case": {}, "use_case": {}}', "/use_case"),
    (b"{", ""),
    (b"\xff", ""),
]


@pytest.mark.parametrize(("document", "pointer"), FAULTS)
def test_a_fault_is_named_by_its_place_and_nothing_is_written(
    load: Any, document: object, pointer: str
) -> None:
    before = rows()
    with pytest.raises(BadInput) as caught:
        load(document)
    assert pointer in pointers(caught.value)
    assert rows() == before


@pytest.mark.parametrize(
    "fault",
    [{"use_case__labels": ["approve", ""]}, {"policy__level": "none"}, {"proposer": "two words"}],
)
def test_a_fault_in_one_part_leaves_the_others_unwritten(load: Any, fault: dict[str, Any]) -> None:
    load(SMALL)
    before = rows()
    file = changed(use_case__name="Loans", approver="third.lead", policy__audit_rate=0.1)
    for name, value in fault.items():
        part, _, key = name.partition("__")
        if key:
            file[part][key] = value
        else:
            file[part] = value
    with pytest.raises(BadInput):
        load(file)
    assert rows() == before


def test_shape_faults_are_all_named_at_once(load: Any) -> None:
    with pytest.raises(BadInput) as caught:
        load({"use_case": {"colour": 1}, "extra": 1, "proposer": 3})
    assert pointers(caught.value) == {
        "/extra",
        "/use_case/colour",
        "/use_case/slug",
        "/policy",
        "/proposer",
        "/approver",
    }


def test_a_change_that_the_standing_policy_does_not_bear_is_refused(load: Any) -> None:
    load(changed(policy__always_review_labels=["deny"]))
    with pytest.raises(BadInput, match="would no longer hold") as caught:
        load(changed(use_case__labels=["approve", "refuse"]))
    assert pointers(caught.value) == {"/use_case"}


@pytest.mark.parametrize("part", ["proposer", "approver"])
def test_a_person_without_the_right_is_not_made_to_act(
    load: Any, make_person: Any, part: str
) -> None:
    make_person("an.auditor", "auditor")
    with pytest.raises(NotPermitted, match="auditor may not"):
        load(changed(**{part: "an.auditor"}))
    assert not UseCase.objects.exists()


# --- The command ----------------------------------------------------------------------------


def run(path: Path, *arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("load_use_case", str(path), *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_prints_one_json_document(db: None) -> None:
    out, err = run(EXAMPLE, "--json")
    document = json.loads(out)
    policy = PolicyVersion.objects.get()
    assert (document["use_case"], document["created"]) == ("recidivism-risk", True)
    assert document["policy"]["number"] == 1
    assert document["policy"]["status"] == "active"
    assert document["policy"]["content_hash"] == policy.content_hash
    assert "recidivism-risk: created" in err
    assert json.loads(run(EXAMPLE, "--json")[0])["created"] is False


def test_the_command_says_what_it_did_to_people(db: None) -> None:
    assert run(EXAMPLE)[0].strip() == ("recidivism-risk: created; policy version 1 added, active")
    assert run(EXAMPLE)[0].strip() == (
        "recidivism-risk: changed: nothing; policy version 1 there already, active"
    )


def test_the_command_acts_as_the_operator(db: None) -> None:
    run(EXAMPLE, "--actor", "olga")
    assert UseCase.history.get().history_user_id == "command:olga"


def test_the_command_refuses_a_file_that_is_not_there(tmp_path: Path, db: None) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "none.json")


def test_the_command_names_the_fault_of_a_file(tmp_path: Path, db: None) -> None:
    path = tmp_path / "use_case.json"
    path.write_text(json.dumps(changed(policy__level="none")))
    with pytest.raises(CommandError, match="/policy/level"):
        run(path)
