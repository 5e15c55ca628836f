"""The guided tour of each role: a few steps from the start page to a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from apps.accounts.callers import Caller


class Step(NamedTuple):
    """``page``: the name of an address; ``action``: what opens it; ``words``: what to do there."""

    page: str
    action: str
    title: str
    words: str


TOURS: Final[Mapping[str, Sequence[Step]]] = {
    "reviewer": (
        Step("desk", "review.take", "Open your queue", "It shows what waits for you, by use case."),
        Step(
            "desk",
            "review.take",
            "Take the next case",
            (
                "Read the question and the evidence "
                "first. Where the policy says blind, you answer before the AI's output is shown."
            ),
        ),
        Step(
            "desk",
            "review.take",
            "Decide by a single key",
            (
                "The keys stand on the screen. Ten "
                "seconds are left to take a verdict back, then it is final."
            ),
        ),
        Step(
            "desk",
            "review.take",
            "See your day",
            ("Back in the queue: how many you have done, and when a pause would help."),
        ),
    ),
    "senior_reviewer": (
        Step(
            "desk",
            "review.take",
            "Settle a disagreement",
            ("Cases on which reviewers differ, or that they escalate, come to your queue."),
        ),
        Step(
            "dashboard_people",
            "report.view",
            "See who agrees with whom",
            ("Agreement, known answers and reliance of each reviewer, with intervals."),
        ),
    ),
    "risk_lead": (
        Step(
            "use_cases",
            "use_case.view",
            "Look at your processes",
            ("Each with its level of oversight, status and health."),
        ),
        Step(
            "dashboard_oversight",
            "report.view",
            ("See what more or less review would give"),
            "Errors, cost, load and fairness at every threshold; the policy in force is marked.",
        ),
        Step(
            "policies_overview",
            "policy.view",
            "Change a policy",
            ("Edit a draft beside its what-if, then propose it: another person approves."),
        ),
        Step(
            "desk_team",
            "review.lead",
            "Watch the team board",
            ("What waits, what is at risk, how many people would hold the time limit."),
        ),
        Step(
            "stops",
            "supervision.view",
            "Know the stop",
            ("One person stops a use case; only another can resume it."),
        ),
    ),
    "supervisor": (
        Step(
            "supervision",
            "supervision.view",
            "See what was released",
            ("Decisions that took effect and can still be reversed, with the time that is left."),
        ),
        Step(
            "supervision",
            "supervision.view",
            "Step in",
            ("Reverse or change one, and say why: the case and the AI's owner see it."),
        ),
        Step(
            "stops",
            "supervision.view",
            "Stop a use case",
            ("The very next decision is withheld. Somebody else resumes."),
        ),
    ),
    "commander": (
        Step(
            "command_queue",
            "decision.command",
            "Decide what waits for you",
            ("Approve, change or withhold what no mandate covers."),
        ),
        Step(
            "mandates",
            "mandate.view",
            "Issue a mandate",
            ("Within which scope, how many, how much and until when the AI may decide."),
        ),
    ),
    "compliance_officer": (
        Step(
            "records",
            "audit.view",
            "Find a record",
            ("Filter by type, person, use case or time; open one and see its proof."),
        ),
        Step(
            "trail_health",
            "audit.view",
            "Verify the trail",
            ("Every record against what was sealed, and against the witnesses outside."),
        ),
        Step(
            "exports",
            "audit.export",
            "Export a bundle",
            ("It proves itself: python3 verify.py BUNDLE.zip needs nothing else."),
        ),
        Step(
            "dashboard_fairness",
            "report.view",
            "Read the gaps between groups",
            ("In the AI's output and in what took effect, with how sure each is."),
        ),
    ),
    "auditor": (
        Step(
            "records",
            "audit.view",
            "Read the trail",
            ("Who did what, when and why; nothing here can be changed."),
        ),
        Step(
            "decisions",
            "decision.view",
            "Follow one decision",
            ("Its whole way as a timeline; Verify checks each proof in your browser."),
        ),
        Step(
            "trail_health",
            "audit.view",
            "Verify the trail",
            ("Checkpoints are signed, and held outside this database."),
        ),
        Step(
            "exports",
            "audit.export",
            "Take evidence along",
            ("A bundle with its own verifier, on Python's standard library alone."),
        ),
    ),
    "executive": (
        Step(
            "dashboard_executive",
            "report.view",
            "Read three sentences",
            ("What people and AI achieve together, what changed and why, what needs somebody."),
        ),
        Step(
            "dashboard_accuracy",
            "report.view",
            ("Ask whether the team beats the better of two"),
            "And whether the AI knows when it is unsure.",
        ),
        Step(
            "dashboard_fairness",
            "report.view",
            "Ask what oversight does to bias",
            ("The AI's output beside what took effect."),
        ),
        Step(
            "alerts",
            "alert.view",
            "See what is open",
            ("Limits that were broken, and who looks after them."),
        ),
    ),
    "administrator": (
        Step(
            "people",
            "person.view",
            "See who may do what",
            ("People, roles, skills and rights in one table."),
        ),
        Step(
            "keys",
            "key.view",
            "Give a program its key",
            ("Shown once, stored hashed, with a role, a scope and an end."),
        ),
        Step(
            "settings",
            "person.view",
            "Check the installation",
            ("Database, worker, witnesses and version at a glance."),
        ),
    ),
}


def tours_for(caller: Caller) -> list[tuple[str, list[Step]]]:
    """(role, its steps that open) for each role held, once."""
    roles = dict.fromkeys(grant.role for grant in sorted(caller.grants))
    found = [
        (role, [one for one in TOURS.get(role, ()) if caller.may(one.action)]) for role in roles
    ]
    return [(role, steps) for role, steps in found if steps]
