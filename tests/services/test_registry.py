"""Use cases, AI systems, model versions and decision rights: their lives, and who may act."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from apps.accounts.callers import caller_of_command, caller_of_key, caller_of_user
from apps.accounts.domain.matrix import ACTIONS, RIGHTS
from apps.accounts.services import service_key_create
from apps.audit.models import PendingRecord
from apps.common.actor import Actor
from apps.common.errors import ActorRequired, BadInput, Conflict, NotFound, NotPermitted
from apps.registry import services
from apps.registry.access import require_right
from apps.registry.models import AISystem, DecisionRight, ModelVersion, UseCase

ROOT = Actor.command("root")
MODELS = (UseCase, AISystem, ModelVersion, DecisionRight)


def written() -> tuple[int, ...]:
    live = (model.objects.count() for model in MODELS)
    history = (model.history.count() for model in MODELS)
    return (*live, *history, PendingRecord.objects.count())


def create(slug: str = "loan", **data: Any) -> UseCase:
    return services.use_case_create(
        actor=ROOT, reason="r", slug=slug, **{"labels": ["approve", "deny"], **data}
    )


def version(number: str = "1.0") -> ModelVersion:
    system = AISystem.objects.filter(name="scorer").first()
    system = system or services.ai_system_register(actor=ROOT, name="scorer")
    return services.model_version_register(actor=ROOT, system=system, version=number)


# --- Use cases ------------------------------------------------------------------------------


def test_a_use_case_of_slug_and_labels_has_the_stated_defaults(db: None) -> None:
    made = create()
    assert (made.name, made.risk_tier, made.lifecycle, made.kinds) == (
        "loan",
        "limited",
        "draft",
        ["label"],
    )
    assert (made.favourable_label, made.positive_label) == ("approve", "")
    assert (made.models_mode, made.unknown_features, made.cost_model) == ("open", "refuse", {})


def test_a_use_case_is_stored_as_it_was_given(db: None) -> None:
    given = {
        "name": "Loans",
        "risk_tier": "high",
        "lifecycle": "pilot",
        "kinds": ["label", "number"],
        "features": [{"name": "income", "type": "number", "description": "a year, before tax"}],
        "subject_attributes": [{"name": "sex", "type": "category", "protected": True}],
        "favourable_label": "deny",
        "tolerance": Decimal("0.5"),
        "reference_from": date(2026, 1, 1),
        "reference_to": date(2026, 2, 1),
        "cost_model": {"currency": "USD", "setup_cost": "1000", "baseline": "ai_only"},
    }
    create(**given)
    stored = UseCase.objects.get()
    assert {name: getattr(stored, name) for name in given} == given


def test_days_may_be_given_as_text(db: None) -> None:
    create(reference_from="2026-01-01", reference_to="2026-01-31")
    assert UseCase.objects.get().reference_to == date(2026, 1, 31)


def test_a_change_is_recorded_with_its_reason_and_author(db: None) -> None:
    create()
    services.use_case_update(
        actor=Actor("person", "7", "ann"), slug="loan", reason=" tiered ", risk_tier="high"
    )
    newest = UseCase.history.latest()
    assert (newest.risk_tier, newest.history_change_reason) == ("high", "tiered")
    assert newest.history_user_name == "ann"


def test_an_empty_change_of_definition_keeps_the_rest(db: None) -> None:
    create(industry="finance")
    services.use_case_update(actor=ROOT, slug="loan", reason="r", name="Loans")
    assert UseCase.objects.get().industry == "finance"


MOVES = {
    "draft": {"pilot", "live", "retired"},
    "pilot": {"draft", "live", "retired"},
    "live": {"pilot", "retired"},
    "retired": set(),
}


@pytest.mark.parametrize("start", MOVES)
@pytest.mark.parametrize("to", ["draft", "pilot", "live", "suspended", "retired", "", "LIVE"])
def test_a_lifecycle_moves_only_along_its_arrows(db: None, start: str, to: str) -> None:
    create(lifecycle="live" if start == "retired" else start)
    if start == "retired":
        services.use_case_move(actor=ROOT, slug="loan", to="retired", reason="r")
    before = written()
    if to in MOVES[start]:
        services.use_case_move(actor=ROOT, slug="loan", to=to, reason="because")
        assert UseCase.objects.get().lifecycle == to
        assert UseCase.history.latest().history_change_reason == "because"
        return
    with pytest.raises(Conflict, match=f"is {start} cannot become"):
        services.use_case_move(actor=ROOT, slug="loan", to=to, reason="because")
    assert written() == before


@pytest.mark.parametrize("slug", ["nowhere", "", "a\x00b"])
def test_a_use_case_that_is_not_there_is_not_moved_or_changed(db: None, slug: str) -> None:
    with pytest.raises((NotFound, BadInput)):
        services.use_case_move(actor=ROOT, slug=slug, to="live", reason="r")
    with pytest.raises((NotFound, BadInput)):
        services.use_case_update(actor=ROOT, slug=slug, reason="r", name="n")


def test_of_two_who_create_the_same_use_case_at_once_one_wins(committed_db: Any) -> None:
    together = Barrier(2)

    def attempt(_number: int) -> str:
        together.wait(timeout=20)
        try:
            return create().slug
        except Conflict as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, range(2))) == ["Conflict", "loan"]
    assert (UseCase.objects.count(), UseCase.history.count()) == (1, 1)


# --- AI systems and their versions ----------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "two words"}, "/name"),
        ({"name": "a/b"}, "/name"),
        ({"name": "n" * 101}, "/name"),
        ({"name": ["x"]}, "/name"),
        ({"name": "a\x00"}, "/name"),
        ({"name": "x", "provider": None}, "/provider"),
        ({"name": "x", "provider": "p" * 201}, "/provider"),
        ({"name": "x", "owner": "ann"}, "/owner"),
    ],
)
def test_a_faulty_ai_system_is_refused_by_its_pointer(
    db: None, data: dict[str, Any], pointer: str
) -> None:
    before = written()
    with pytest.raises(BadInput) as refusal:
        services.ai_system_register(actor=ROOT, **data)
    assert [e.pointer for e in refusal.value.errors] == [pointer]
    assert written() == before


def test_an_ai_system_s_name_is_taken_once(db: None) -> None:
    services.ai_system_register(actor=ROOT, name="scorer")
    with pytest.raises(Conflict, match="'scorer'"):
        services.ai_system_register(actor=ROOT, name="scorer")


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"version": ""}, "/version"),
        ({"version": "1 0"}, "/version"),
        ({"version": 1}, "/version"),
        ({"version": "1", "notes": {}}, "/notes"),
        ({"version": "1", "declared_accuracy": "1.01"}, "/declared_accuracy"),
        ({"version": "1", "declared_accuracy": -0.1}, "/declared_accuracy"),
        ({"version": "1", "declared_accuracy": "NaN"}, "/declared_accuracy"),
        ({"version": "1", "declared_accuracy": True}, "/declared_accuracy"),
        ({"version": "1", "declared_accuracy": []}, "/declared_accuracy"),
        ({"version": "1", "declared_accuracy": "0.12345"}, "/declared_accuracy"),
        ({"version": "1", "status": "withdrawn"}, "/status"),
    ],
)
def test_a_faulty_model_version_is_refused_by_its_pointer(
    db: None, data: dict[str, Any], pointer: str
) -> None:
    system = services.ai_system_register(actor=ROOT, name="scorer")
    before = written()
    with pytest.raises(BadInput) as refusal:
        services.model_version_register(actor=ROOT, system=system, **data)
    assert {e.pointer for e in refusal.value.errors} == {pointer}
    assert written() == before


@pytest.mark.parametrize("accuracy", [0, 1, "0.9125", 0.5, Decimal("0.25")])
def test_a_declared_accuracy_is_kept_exactly(db: None, accuracy: Any) -> None:
    system = services.ai_system_register(actor=ROOT, name="scorer")
    services.model_version_register(
        actor=ROOT, system=system, version="1", declared_accuracy=accuracy
    )
    assert ModelVersion.objects.get().declared_accuracy == Decimal(str(accuracy))


def test_a_version_is_registered_once_in_each_system(db: None) -> None:
    version("1.0")
    before = written()
    with pytest.raises(Conflict, match=r"scorer 1\.0 is registered already"):
        version("1.0")
    assert written() == before
    other = services.ai_system_register(actor=ROOT, name="other")
    services.model_version_register(actor=ROOT, system=other, version="1.0")
    assert ModelVersion.objects.count() == 2


def test_a_version_is_withdrawn_and_put_back_each_with_a_reason(db: None) -> None:
    held = version()
    for status in ("withdrawn", "active"):
        services.model_version_set_status(
            actor=ROOT, model_version=held, status=status, reason=f"to {status}"
        )
        assert ModelVersion.objects.get().status == status
        assert ModelVersion.history.latest().history_change_reason == f"to {status}"


def test_withdrawing_twice_is_a_conflict_even_with_a_stale_object(db: None) -> None:
    stale = version()
    services.model_version_set_status(
        actor=ROOT, model_version=stale, status="withdrawn", reason="r"
    )
    stale.status = "active"
    with pytest.raises(Conflict, match="is withdrawn already"):
        services.model_version_set_status(
            actor=ROOT, model_version=stale, status="withdrawn", reason="r"
        )


@pytest.mark.parametrize("status", ["", "deleted", None, ["active"]])
def test_an_unknown_status_is_refused(db: None, status: Any) -> None:
    held = version()
    before = written()
    with pytest.raises(BadInput) as refusal:
        services.model_version_set_status(actor=ROOT, model_version=held, status=status, reason="r")
    assert [e.pointer for e in refusal.value.errors] == ["/status"]
    assert written() == before


# --- Decision rights ------------------------------------------------------------------------

RIGHT_ACTIONS = {name: action.right for name, action in ACTIONS.items() if action.right}


def test_a_right_without_holders_leaves_the_matrix_as_it_is(db: None, make_person: Any) -> None:
    create()
    lead = caller_of_user(make_person("lead", "risk_lead"))
    require_right(lead, "policy.propose", "loan")
    with pytest.raises(NotPermitted, match="it takes one of risk lead"):
        require_right(caller_of_user(make_person("rev", "reviewer")), "policy.propose", "loan")


def test_a_right_with_holders_is_theirs_alone(db: None, make_person: Any) -> None:
    use_case = create()
    holder, other = make_person("holder", "risk_lead"), make_person("other", "risk_lead")
    services.decision_right_grant(
        actor=ROOT, use_case=use_case, right="set_policy", person=holder, reason="r"
    )
    require_right(caller_of_user(holder), "policy.propose", "loan")
    with pytest.raises(NotPermitted, match="held there by 1 named people") as refusal:
        require_right(caller_of_user(other), "policy.propose", "loan")
    assert (refusal.value.action, refusal.value.use_case) == ("policy.propose", "loan")


def test_a_right_never_allows_what_the_role_does_not(db: None, make_person: Any) -> None:
    use_case, reviewer = create(), make_person("rev", "reviewer")
    services.decision_right_grant(
        actor=ROOT, use_case=use_case, right="set_policy", person=reviewer, reason="r"
    )
    with pytest.raises(NotPermitted, match="it takes one of risk lead"):
        require_right(caller_of_user(reviewer), "policy.propose", "loan")


def test_a_right_narrows_its_own_use_case_and_its_own_action_alone(
    db: None, make_person: Any
) -> None:
    use_case, _other = create(), create("fraud")
    holder, other = make_person("holder", "risk_lead"), make_person("other", "risk_lead")
    services.decision_right_grant(
        actor=ROOT, use_case=use_case, right="set_policy", person=holder, reason="r"
    )
    require_right(caller_of_user(other), "policy.propose", "fraud")
    require_right(caller_of_user(other), "policy.approve", "loan")
    require_right(caller_of_user(other), "use_case.edit", "loan")


@pytest.mark.parametrize("action", RIGHT_ACTIONS)
def test_every_narrowed_action_asks_for_its_right(db: None, make_person: Any, action: str) -> None:
    use_case, role = create(), min(ACTIONS[action].roles)
    holder, other = make_person("holder", role), make_person("other", role)
    services.decision_right_grant(
        actor=ROOT, use_case=use_case, right=RIGHT_ACTIONS[action], person=holder, reason="r"
    )
    require_right(caller_of_user(holder), action, "loan")
    with pytest.raises(NotPermitted, match="named people"):
        require_right(caller_of_user(other), action, "loan")


def test_a_program_holds_no_right_and_the_operator_stands_outside(
    db: None, make_person: Any
) -> None:
    use_case, holder = create(), make_person("holder", "compliance_officer")
    services.decision_right_grant(
        actor=ROOT, use_case=use_case, right="export", person=holder, reason="r"
    )
    key, _secret = service_key_create(actor=ROOT, name="bank", role="compliance_officer")
    with pytest.raises(NotPermitted, match="named people"):
        require_right(caller_of_key(key), "audit.export", "loan")
    require_right(caller_of_command("root"), "audit.export", "loan")


def test_a_revoked_right_is_recorded_and_widens_again(db: None, make_person: Any) -> None:
    use_case = create()
    holder, other = make_person("holder", "risk_lead"), make_person("other", "risk_lead")
    right = services.decision_right_grant(
        actor=ROOT, use_case=use_case, right="set_policy", person=holder, reason="r"
    )
    services.decision_right_revoke(actor=ROOT, right=right, reason="moved on")
    end = DecisionRight.history.latest()
    assert (end.history_type, end.history_change_reason) == ("-", "moved on")
    require_right(caller_of_user(other), "policy.propose", "loan")


@pytest.mark.parametrize("right", ["", "everything", None, ["stop"]])
def test_an_unknown_right_is_refused(db: None, make_person: Any, right: Any) -> None:
    use_case, person = create(), make_person("ann")
    before = written()
    with pytest.raises(BadInput, match="allowed: " + ", ".join(RIGHTS)):
        services.decision_right_grant(
            actor=ROOT, use_case=use_case, right=right, person=person, reason="r"
        )
    assert written() == before


def test_a_right_is_given_to_one_person_once(db: None, make_person: Any) -> None:
    use_case, person = create(), make_person("ann")
    grant = {"use_case": use_case, "right": "stop", "person": person, "reason": "r"}
    services.decision_right_grant(actor=ROOT, **grant)
    with pytest.raises(Conflict, match="ann holds stop in loan already"):
        services.decision_right_grant(actor=ROOT, **grant)


# --- Every write ----------------------------------------------------------------------------

Write = Callable[[Any, Any], Any]
WRITES: dict[str, Write] = {
    "use_case_create": lambda a, r: services.use_case_create(
        actor=a, reason=r, slug="new", labels=["a", "b"]
    ),
    "use_case_update": lambda a, r: services.use_case_update(
        actor=a, slug="loan", reason=r, name="n"
    ),
    "use_case_move": lambda a, r: services.use_case_move(actor=a, slug="loan", to="live", reason=r),
    "ai_system_register": lambda a, r: services.ai_system_register(actor=a, name="new", reason=r),
    "ai_system_update": lambda a, r: services.ai_system_update(
        actor=a, system=AISystem.objects.get(), reason=r, provider="p"
    ),
    "model_version_register": lambda a, r: services.model_version_register(
        actor=a, system=AISystem.objects.get(), version="2", reason=r
    ),
    "model_version_set_status": lambda a, r: services.model_version_set_status(
        actor=a, model_version=ModelVersion.objects.get(), status="withdrawn", reason=r
    ),
    "decision_right_grant": lambda a, r: services.decision_right_grant(
        actor=a,
        use_case=UseCase.objects.get(),
        right="stop",
        person=DecisionRight.objects.get().person,
        reason=r,
    ),
    "decision_right_revoke": lambda a, r: services.decision_right_revoke(
        actor=a, right=DecisionRight.objects.get(), reason=r
    ),
}
WITHOUT_REASON = {"ai_system_register", "model_version_register"}  # first sight gives the reason


@pytest.fixture
def registry(db: None, make_person: Any) -> None:
    use_case, _version = create(), version()
    services.decision_right_grant(
        actor=ROOT, use_case=use_case, right="export", person=make_person("ann"), reason="r"
    )


def test_the_list_of_writes_is_complete() -> None:
    own = {
        name
        for name, thing in vars(services).items()
        if callable(thing)
        and getattr(thing, "__module__", "") == services.__name__
        and not name.startswith("_")
    }
    assert own - {"use_case_definition"} == set(WRITES)


@pytest.mark.parametrize("write", WRITES)
def test_each_write_leaves_exactly_one_record(registry: None, write: str) -> None:
    before = PendingRecord.objects.count()
    WRITES[write](ROOT, "because")
    assert PendingRecord.objects.count() == before + 1


@pytest.mark.parametrize("write", WRITES)
def test_a_write_without_an_actor_is_refused(registry: None, write: str) -> None:
    before = written()
    with pytest.raises(ActorRequired):
        WRITES[write](None, "because")
    assert written() == before


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("reason", ["", "  ", None, 7, "a\x00b"])
def test_a_write_without_a_reason_is_refused(registry: None, write: str, reason: Any) -> None:
    if write in WITHOUT_REASON and reason in ("", "  "):
        WRITES[write](ROOT, reason)
        return
    before = written()
    with pytest.raises(BadInput) as refusal:
        WRITES[write](ROOT, reason)
    assert [e.pointer for e in refusal.value.errors] == ["/reason"]
    assert written() == before
