"""What a person typed, kept between pages: one JSON text that the desk's services can read too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps.web.desk.outputs import form_of
from apps.web.desk.verdicts import draft_from


def draft_body(form: Mapping[str, str]) -> str:
    """The text to keep for an unfinished form."""
    return json.dumps({"form": draft_from(form)}, ensure_ascii=False)


def kept_form(kind: str, body: str | None) -> dict[str, str]:
    """What the form is filled in with again; nothing where nothing readable was kept.

    Parameters: ``body``, as ``draft_body`` made it, or a verdict as the desk keeps one that was
    taken back, came too late or is about to be final: the same members, with its output.
    """
    try:
        data = json.loads(body or "{}")
    except ValueError:
        return {}
    if not isinstance(data, dict):
        return {}
    form, said = data.get("form"), data.get("verdict")
    if isinstance(form, dict):
        return {str(name): str(value) for name, value in form.items()}
    return _of_verdict(kind, said if isinstance(said, dict) else data)


def _of_verdict(kind: str, data: Mapping[str, Any]) -> dict[str, str]:
    names = ("verdict", "reason_code", "rationale", "confidence", "active_seconds")
    kept = {name: str(data[name]) for name in names if data.get(name) not in (None, "")}
    output = data.get("output")
    return {**kept, **form_of(kind, output)} if isinstance(output, Mapping) else kept


SAID = {
    "confirm": "Confirmed",
    "change": "Changed",
    "answer": "Answered",
    "withhold": "Withheld",
    "escalate": "Escalated",
    "abstain": "Abstained",
    "ask": "Asked for information",
}


def said_in_words(verdict: str, label: str) -> str:
    """A verdict as the line about its undo names it."""
    said = SAID.get(verdict, verdict)
    return f"{said}: {label}" if label and verdict in ("change", "answer") else said
