"""A case as a document: what the person at a seat is shown of a decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from apps.decisions.models import Decision
from apps.decisions.selectors import output_of, part_of, reasons_of
from apps.registry.models import ModelVersion, UseCase
from apps.workflow.desk.stages import ALLOWED, ASKED

Policy = Mapping[str, Any]
QUESTIONS = {
    "label": "which label is right?",
    "number": "which value is right?",
    "fields": "which values are right?",
    "text": "which text is right?",
    "action": "what should be done?",
}
SHORT_LABELS = 4  # so many fit into one line
SHOWN_OF_POLICY = (
    "blind",
    "reviews_required",
    "combination",
    "feedback",
    "show_protected",
    "senior_sees_verdicts",
)


def open_document(decision: Decision, policy: Policy, stage: str) -> dict[str, Any]:
    """Everything that an open stage shows of the decision itself, as JSON data."""
    use_case, output = decision.use_case, output_of(decision)
    spoken = output is not None
    return {
        "use_case": use_case.slug,
        "external_id": decision.external_id,
        "kind": decision.kind,
        "question": question(use_case, decision.kind),
        "instructions": use_case.description,
        "asked": ASKED[stage, spoken],
        "verdicts_allowed": list(ALLOWED[stage, spoken]),
        "reasons": reasons_of(decision),
        "output": output,
        "output_fields": field_names(output),
        "labels": list(use_case.labels) if decision.kind == "label" else [],
        "favourable_label": use_case.favourable_label,
        "reason_codes": list(use_case.reason_codes),
        "model": model_shown(decision.model_version),
        "features": features_shown(decision, policy),
        "subject": subject_shown(decision, policy),
        "explanation": part_of(decision, "explanation"),
        "evidence": part_of(decision, "evidence") or [],
        "amount": None if decision.amount is None else str(decision.amount),
        "currency": use_case.cost_model.get("currency", "EUR"),
        "decided_at": moment(decision.decided_at),
        "created_at": moment(decision.created_at),
        "policy": {name: policy[name] for name in SHOWN_OF_POLICY},
    }


def question(use_case: UseCase, kind: str) -> str:
    """What the case asks, in one line. Nothing in it depends on the AI's output."""
    if kind == "label" and 0 < len(use_case.labels) <= SHORT_LABELS:
        return f"{use_case.name}: {' or '.join(use_case.labels)}?"
    return f"{use_case.name}: {QUESTIONS[kind]}"


def field_names(output: Mapping[str, Any] | None) -> list[str]:
    """The names that a form asks for; a name alone says nothing of the AI's values."""
    fields = (output or {}).get("fields")
    return sorted(fields) if isinstance(fields, dict) else []


def model_shown(version: ModelVersion) -> dict[str, Any]:
    declared = version.declared_accuracy
    return {
        "name": version.system.name,
        "version": version.version,
        "status": version.status,
        "limits": version.system.limits,
        "intended_purpose": version.system.intended_purpose,
        "declared_accuracy": None if declared is None else float(declared),
    }


def features_shown(decision: Decision, policy: Policy) -> list[dict[str, Any]]:
    sent = part_of(decision, "features") or {}
    return list(_entries(sent, decision.use_case.features, policy))


def subject_shown(decision: Decision, policy: Policy) -> dict[str, Any] | None:
    sent = part_of(decision, "subject")
    if sent is None:
        return None
    attributes = _entries(
        sent.get("attributes") or {}, decision.use_case.subject_attributes, policy
    )
    return {"ref": sent.get("ref"), "attributes": list(attributes)}


def _entries(
    sent: Mapping[str, Any], schema: Iterable[Mapping[str, Any]], policy: Policy
) -> Iterator[dict[str, Any]]:
    """Values in the order of the schema, those that it does not name last. A protected one is
    named but not shown, unless the policy shows it: whoever decides should not be led by it."""
    known = {entry["name"]: entry for entry in schema}
    names = [name for name in known if name in sent] + sorted(sent.keys() - known.keys())
    for name in names:
        entry = known.get(name, {})
        protected = bool(entry.get("protected"))
        hidden = protected and not policy["show_protected"]
        yield {
            "name": name,
            "value": None if hidden else sent[name],
            "type": entry.get("type"),
            "protected": protected,
            "hidden": hidden,
        }


def moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
