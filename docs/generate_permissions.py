"""Writes docs/permissions.md from the permission matrix: ``python -m docs.generate_permissions``."""

from __future__ import annotations

from pathlib import Path

from apps.accounts.domain.matrix import ACTIONS, ROLES

PAGE = Path(__file__).with_name("permissions.md")
SHORT = {
    "administrator": "adm",
    "compliance_officer": "cmp",
    "risk_lead": "risk",
    "commander": "cmd",
    "supervisor": "sup",
    "reviewer": "rev",
    "senior_reviewer": "sen",
    "executive": "exe",
    "integration": "int",
    "auditor": "aud",
}
HEAD = """\
# Who may do what

Generated from `apps/accounts/domain/matrix.py` by `python -m docs.generate_permissions`; do not edit.

One table holds every permission. The pages, the API and the commands read it; what is not in it is
refused, and a refusal is itself a record of the audit trail.

A role is held everywhere, or in one use case. A grant that is limited to one use case allows the
actions whose **scope** is *use case* there and nowhere else; an action whose scope is *platform*
takes a grant without a limit. Where an action names a **decision right** and somebody holds that
right in the use case, only its holders may do the action there, whatever roles others have. A
command on the machine itself (`manage.py`) may do everything and is named in the trail as
`command:<login>`.

`integration` is a role of programs: a service key can hold it, a person cannot.
"""


def document() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_legend(), "", *_table(), "", *_by_role()]) + "\n"


def _legend() -> list[str]:
    return ["## Roles", "", ", ".join(f"{SHORT[r]} = {_words(r)}" for r in ROLES) + "."]


def _table() -> list[str]:
    head = ["action", "what it allows", "scope", "decision right", *(SHORT[r] for r in ROLES)]
    rows = ["## Actions", "", _row(head), _row(["---"] * 4 + [":-:"] * len(ROLES))]
    for name, action in ACTIONS.items():
        marks = ["x" if role in action.roles else "" for role in ROLES]
        scope = "use case" if action.scoped else "platform"
        rows.append(_row([f"`{name}`", action.words, scope, _words(action.right or ""), *marks]))
    return rows


def _by_role() -> list[str]:
    lines = ["## By role"]
    for role in ROLES:
        held = [action.words for action in ACTIONS.values() if role in action.roles]
        lines += ["", f"**{_words(role)}** may {'; '.join(held)}."]
    return lines


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _words(name: str) -> str:
    return name.replace("_", " ")


if __name__ == "__main__":
    PAGE.write_text(document(), encoding="utf-8")
