"""The matrix role x action, and what a grant limited to a use case allows."""

from __future__ import annotations

import pytest

from apps.accounts.domain.matrix import (
    ACTIONS,
    PEOPLE,
    RIGHTS,
    ROLES,
    Grant,
    may,
    visible_use_cases,
)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_allowed_to_some_role_and_only_to_roles_that_exist(action: str) -> None:
    entry = ACTIONS[action]
    assert entry.roles
    assert entry.roles <= set(ROLES)
    assert entry.words.strip()


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_named_after_its_object_and_its_verb(action: str) -> None:
    thing, _, verb = action.partition(".")
    assert thing.isidentifier()
    assert verb.isidentifier()


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_that_a_decision_right_narrows_concerns_one_use_case(action: str) -> None:
    entry = ACTIONS[action]
    assert entry.right is None or (entry.scoped and entry.right in RIGHTS)


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_do_something_besides_looking(role: str) -> None:
    done = {name for name, entry in ACTIONS.items() if role in entry.roles}
    assert "use_case.view" in done
    assert done - {"use_case.view", "model.view", "policy.view", "decision.view"}


def test_an_auditor_changes_nothing() -> None:
    verbs = {name.partition(".")[2] for name, entry in ACTIONS.items() if "auditor" in entry.roles}
    assert verbs == {"view", "export", "verify"}


def test_only_programs_hold_the_role_of_programs() -> None:
    assert set(ROLES) - PEOPLE == {"integration"}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ROLES)
def test_an_unlimited_grant_allows_exactly_what_the_table_says(role: str, action: str) -> None:
    allowed = role in ACTIONS[action].roles
    assert may([Grant(role)], action) is allowed
    assert may([Grant(role)], action, "loans") is allowed
    assert visible_use_cases([Grant(role)], action) == (None if allowed else frozenset())


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ROLES)
def test_a_grant_limited_to_a_use_case_reaches_no_other(role: str, action: str) -> None:
    held = [Grant(role, "loans")]
    allowed = role in ACTIONS[action].roles and ACTIONS[action].scoped
    assert may(held, action) is allowed
    assert may(held, action, "loans") is allowed
    assert may(held, action, "fraud") is False
    assert visible_use_cases(held, action) == (frozenset({"loans"}) if allowed else frozenset())


def test_nobody_may_do_what_the_table_does_not_name() -> None:
    with pytest.raises(KeyError):
        may([Grant(role) for role in ROLES], "use_case.erase")


def test_without_a_grant_nothing_is_allowed() -> None:
    assert not any(may([], action) for action in ACTIONS)
