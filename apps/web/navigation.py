"""The pages a person can open: one table, read by the navigation and by the start page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.accounts.callers import Caller


@dataclass(frozen=True, slots=True)
class Page:
    """``name`` is the URL's name; ``action`` the entry of the matrix that opens it."""

    label: str
    name: str
    action: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Section:
    label: str
    pages: Sequence[Page]


SECTIONS = (
    Section(
        "Work",
        (
            Page(
                "My queue",
                "desk",
                "review.take",
                "The cases that wait for you, one at a time, by key or by click.",
            ),
            Page(
                "Team board",
                "desk_team",
                "review.lead",
                "What waits and how long, who works on what, skills, absences and known answers.",
            ),
        ),
    ),
    Section(
        "Oversight",
        (
            Page(
                "Use cases",
                "use_cases",
                "use_case.view",
                "What each AI decides or recommends, its labels and features, and who may do what.",
            ),
            Page(
                "Decisions",
                "decisions",
                "decision.view",
                "What AI systems proposed, where it went and why, and what took effect.",
            ),
            Page(
                "Supervision",
                "supervision",
                "supervision.view",
                "What can still be undone, stop and resume, the commander’s queue, mandates.",
            ),
            Page(
                "Policies",
                "policies_overview",
                "policy.view",
                "The rules in force in plain words, drafts, and what waits for approval.",
            ),
            Page(
                "AI models",
                "model_versions",
                "model.view",
                "The versions whose outputs come in, where each is used, and which are withdrawn.",
            ),
            Page(
                "Alerts",
                "alerts",
                "alert.view",
                "Figures that broke a limit, what people made of them, and the limits.",
            ),
        ),
    ),
    Section(
        "Figures",
        (
            Page(
                "Executive",
                "dashboard_executive",
                "report.view",
                "What every process is worth, how right it is, and what needs somebody.",
            ),
            Page(
                "Accuracy",
                "dashboard_accuracy",
                "report.view",
                "Whether AI, people and both together are right, by segment and over time.",
            ),
            Page(
                "Fairness",
                "dashboard_fairness",
                "report.view",
                "How groups fare in the AI's output and in what took effect.",
            ),
            Page(
                "Drift",
                "dashboard_drift",
                "report.view",
                "Whether what comes in and goes out still looks like the reference.",
            ),
            Page(
                "Reviewers and operations",
                "dashboard_people",
                "report.view",
                "What waits and for how long, who decides, how far people rely on the AI.",
            ),
            Page(
                "Oversight",
                "dashboard_oversight",
                "report.view",
                "What more or less review would give, at every threshold.",
            ),
            Page(
                "Report schedules",
                "schedules",
                "report.view",
                "Which reports are made by themselves, what comes next, what was missed.",
            ),
        ),
    ),
    Section(
        "Evidence",
        (
            Page(
                "Audit trail",
                "records",
                "audit.view",
                "Every record as it was sealed: who did what, when and why, with its proof.",
            ),
            Page(
                "Trail health",
                "trail_health",
                "audit.view",
                "Verifications, signed checkpoints and the witnesses that hold them.",
            ),
            Page(
                "Exports",
                "exports",
                "audit.export",
                "Bundles of records that anybody can check without this platform.",
            ),
            Page(
                "Audit health",
                "dashboard_trail",
                "audit.view",
                "What is sealed over time, witnesses, verifications and missed runs at a glance.",
            ),
        ),
    ),
    Section(
        "People",
        (
            Page(
                "People and roles",
                "people",
                "person.view",
                "Who holds which roles, skills and rights, and what each role allows.",
            ),
            Page(
                "API keys",
                "keys",
                "key.view",
                "The keys of programs: what each opens, until when, used last.",
            ),
            Page(
                "Administration",
                "admin:index",
                "admin.site",
                "Create people, keys, use cases and model versions; grant roles and rights.",
            ),
        ),
    ),
)


def sections_for(caller: Caller) -> list[Section]:
    """What ``caller`` may open; a section without pages is left out."""
    allowed = (
        Section(section.label, tuple(page for page in section.pages if caller.may(page.action)))
        for section in SECTIONS
    )
    return [section for section in allowed if section.pages]
