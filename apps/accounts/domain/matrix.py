"""Who may do what: one table, role x action. Pages, API, commands and tests all read it.

An action is *scoped* when it concerns one use case: a grant limited to a use case allows it there
alone. An unscoped action needs an unlimited grant. What is not in the table is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

Role = Literal[
    "administrator",
    "compliance_officer",
    "risk_lead",
    "commander",
    "supervisor",
    "reviewer",
    "senior_reviewer",
    "executive",
    "integration",
    "auditor",
]
ROLES: tuple[Role, ...] = get_args(Role)
PEOPLE: frozenset[str] = frozenset(ROLES) - {"integration"}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done. ``right`` names the decision right that can narrow it."""

    words: str
    roles: frozenset[str]
    scoped: bool = True
    right: str | None = None


def _action(
    words: str, roles: Iterable[str], *, scoped: bool = True, right: str | None = None
) -> Action:
    return Action(words, frozenset(roles), scoped, right)


OVERSEERS = {
    "administrator",
    "compliance_officer",
    "risk_lead",
    "commander",
    "supervisor",
    "auditor",
}

# Who may decide a case must see it: also the roles that a case can be escalated to.
CONTENT_VIEWERS = {
    "compliance_officer",
    "risk_lead",
    "commander",
    "supervisor",
    "reviewer",
    "senior_reviewer",
}

ACTIONS: dict[str, Action] = {
    # registry
    "use_case.view": _action("see a use case", ROLES),
    "use_case.create": _action("create a use case", {"administrator", "risk_lead"}, scoped=False),
    "use_case.edit": _action("change a use case", {"administrator", "risk_lead"}),
    "use_case.stop": _action(
        "suspend a use case",
        {"administrator", "risk_lead", "commander", "supervisor"},
        right="stop",
    ),
    "use_case.resume": _action("resume a use case", {"risk_lead", "commander"}, right="resume"),
    "model.view": _action("see AI systems and model versions", ROLES, scoped=False),
    "model.edit": _action(
        "register AI systems and model versions", {"administrator", "risk_lead"}, scoped=False
    ),
    "model.stop": _action(
        "withdraw a model version", {"administrator", "risk_lead", "commander"}, scoped=False
    ),
    "rights.view": _action("see decision rights", PEOPLE),
    "rights.edit": _action("change decision rights", {"administrator"}),
    # people
    "person.view": _action(
        "see people and roles",
        {"administrator", "compliance_officer", "risk_lead", "auditor"},
        scoped=False,
    ),
    "person.edit": _action("create and deactivate people", {"administrator"}, scoped=False),
    "role.grant": _action("grant and revoke roles", {"administrator"}, scoped=False),
    "key.view": _action(
        "see service keys", {"administrator", "compliance_officer", "auditor"}, scoped=False
    ),
    "key.edit": _action("create and revoke service keys", {"administrator"}, scoped=False),
    "admin.site": _action("open the administration pages", {"administrator"}, scoped=False),
    # policies
    "policy.view": _action("see policies", ROLES),
    "policy.propose": _action("draft and propose policies", {"risk_lead"}, right="set_policy"),
    "policy.approve": _action(
        "approve policies", {"risk_lead", "commander"}, right="approve_policy"
    ),
    # decisions
    "decision.submit": _action("send decisions in", {"integration", "administrator"}),
    "decision.view": _action("see decisions", ROLES),
    "content.view": _action("see the personal data of a decision", CONTENT_VIEWERS),
    "outcome.record": _action(
        "record outcomes", {"integration", "administrator", "risk_lead", "compliance_officer"}
    ),
    # reviews
    "review.do": _action("review cases", {"reviewer", "senior_reviewer"}, right="review"),
    "review.take": _action("take cases from the review queue", CONTENT_VIEWERS),
    "review.view": _action(
        "see what waits for review", CONTENT_VIEWERS | {"administrator", "auditor"}
    ),
    "review.adjudicate": _action(
        "adjudicate disagreement", {"senior_reviewer"}, right="adjudicate"
    ),
    "review.lead": _action("lead the review desk", {"risk_lead", "senior_reviewer"}),
    "review.inform": _action(
        "answer a reviewer's question",
        {"integration", "administrator", "risk_lead", "supervisor", "senior_reviewer"},
    ),
    "known_answer.view": _action(
        "see which cases have known answers",
        {"administrator", "compliance_officer", "risk_lead", "senior_reviewer", "auditor"},
    ),
    "qualification.view": _action("see qualifications", PEOPLE),
    "qualification.grant": _action(
        "grant and revoke qualifications", {"risk_lead", "senior_reviewer"}
    ),
    # supervision and command
    "supervision.view": _action("watch released decisions, stops and the command queue", OVERSEERS),
    "decision.intervene": _action(
        "reverse or change released decisions", {"supervisor", "commander"}, right="supervise"
    ),
    "decision.command": _action("decide what no mandate covers", {"commander"}, right="command"),
    "mandate.view": _action("see mandates", OVERSEERS),
    "mandate.issue": _action("issue and revoke mandates", {"commander"}, right="command"),
    "decision.contest": _action(
        "file a data subject's objection",
        {"integration", "compliance_officer", "supervisor", "reviewer", "senior_reviewer"},
    ),
    "decision.erase": _action("erase a decision's content", {"compliance_officer"}),
    # trail
    "audit.view": _action(
        "see the audit trail", {"administrator", "compliance_officer", "auditor"}
    ),
    "audit.export": _action(
        "export the audit trail", {"compliance_officer", "auditor"}, right="export"
    ),
    "audit.verify": _action(
        "verify the audit trail", {"administrator", "compliance_officer", "auditor"}, scoped=False
    ),
    # figures
    "report.view": _action(
        "see reports and dashboards", OVERSEERS | {"executive", "senior_reviewer"}
    ),
    "report.run": _action("run reports", {"administrator", "compliance_officer", "risk_lead"}),
    "report_schedule.set": _action(
        "schedule reports", {"administrator", "compliance_officer", "risk_lead"}
    ),
    "policy.simulate": _action("simulate policies over stored decisions", OVERSEERS - {"auditor"}),
    "alert.view": _action(
        "see alerts and their limits", OVERSEERS | {"executive", "senior_reviewer"}
    ),
    "alert.handle": _action("acknowledge and resolve alerts", OVERSEERS - {"auditor"}),
    "alert_limit.set": _action(
        "set and retire limits of alerts", {"administrator", "compliance_officer", "risk_lead"}
    ),
    "training_data.view": _action("take out corrected labels", {"integration", "risk_lead"}),
}

RIGHTS: tuple[str, ...] = tuple(sorted({a.right for a in ACTIONS.values() if a.right}))


class Grant(NamedTuple):
    """A role held, everywhere (``use_case`` empty) or in one use case."""

    role: str
    use_case: str = ""


def may(grants: Iterable[Grant], action: str, use_case: str | None = None) -> bool:
    """Whether ``grants`` allow ``action`` (in ``use_case``, a slug, for a scoped one).

    A scoped action without a use case named asks "anywhere at all?".

    Raises:
        KeyError: the action is not in the table.
    """
    entry = ACTIONS[action]
    for grant in grants:
        if grant.role not in entry.roles:
            continue
        if not grant.use_case:
            return True
        if entry.scoped and (use_case is None or grant.use_case == use_case):
            return True
    return False


def visible_use_cases(grants: Iterable[Grant], action: str) -> frozenset[str] | None:
    """The slugs in which ``action`` is allowed; None means all of them."""
    entry = ACTIONS[action]
    held = [grant for grant in grants if grant.role in entry.roles]
    if any(not grant.use_case for grant in held):
        return None
    return frozenset(grant.use_case for grant in held) if entry.scoped else frozenset()
