"""Writes to the registry. Each takes the actor and a reason, and leaves one record."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from apps.accounts.domain.matrix import RIGHTS
from apps.accounts.models import User
from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict, FieldError
from apps.common.saving import checked_reason, checked_save, pointer_to, refuse_unstorable
from apps.registry.guards import objections, use_case_lock
from apps.registry.left_out import left_out_faults
from apps.registry.models import AISystem, DecisionRight, Lifecycle, ModelVersion, UseCase
from apps.registry.validation import definition_faults, shown, type_faults

# Suspension and resumption are the stop button's (two people), not an edit's.
LIFECYCLE_MOVES: dict[str, frozenset[str]] = {
    "draft": frozenset({"pilot", "live", "retired"}),
    "pilot": frozenset({"draft", "live", "retired"}),
    "live": frozenset({"pilot", "retired"}),
    "suspended": frozenset({"retired"}),
    "retired": frozenset(),
}
FIXED = frozenset({"slug", "lifecycle"})
USE_CASE_FIELDS = frozenset(f.name for f in UseCase._meta.concrete_fields)


def _require_reason(reason: object) -> str:
    return checked_reason(reason, required=True)


def _refuse_unknown(data: dict[str, Any], allowed: frozenset[str]) -> None:
    unknown = sorted(data.keys() - allowed)
    if unknown:
        words = ", ".join(sorted(allowed))
        raise BadInput(
            FieldError(pointer_to("", name), f"unknown key; allowed: {words}") for name in unknown
        )


def _refuse_wrong_types(data: dict[str, Any]) -> None:
    """Before values go into an instance or a query, which take some wrong ones without a word."""
    owner = data.get("owner")
    faults = type_faults(data)
    if owner is not None and not isinstance(owner, User):
        faults.append(FieldError("/owner", f"{shown(owner)} is not a person"))
    if faults:
        raise BadInput(faults)
    refuse_unstorable(**{name: value for name, value in data.items() if name != "owner"})


def use_case_definition(use_case: UseCase) -> dict[str, Any]:
    """The parts of a use case that are checked against each other."""
    names = (
        "kinds",
        "labels",
        "favourable_label",
        "positive_label",
        "features",
        "subject_attributes",
    )
    return {
        name: getattr(use_case, name)
        for name in (
            *names,
            "cost_model",
            "reference_from",
            "reference_to",
            "reason_codes",
            "left_out",
        )
    }


def _check_and_save(use_case: UseCase, actor: Actor, reason: str) -> UseCase:
    definition = use_case_definition(use_case)
    faults = [*definition_faults(definition), *left_out_faults(definition)]
    faults = faults or objections(use_case)
    if faults:
        raise BadInput(faults)
    return checked_save(use_case, actor=actor, reason=reason)


@transaction.atomic
def use_case_create(*, actor: Actor, reason: str, **data: Any) -> UseCase:
    """A new use case. Without labels' roles the first label is the favourable one."""
    _refuse_unknown(data, USE_CASE_FIELDS)
    _refuse_wrong_types(data)
    slug = data.get("slug", "")
    _refuse_taken(slug)
    use_case = UseCase(**{"name": slug, "kinds": ["label"], **data})
    labels = use_case.labels
    if not use_case.favourable_label and isinstance(labels, list) and labels:
        use_case.favourable_label = labels[0] if isinstance(labels[0], str) else ""
    if use_case.lifecycle not in {Lifecycle.DRAFT, Lifecycle.PILOT, Lifecycle.LIVE}:
        raise BadInput(
            f"{use_case.lifecycle!r}: a use case begins as draft, pilot or live", "/lifecycle"
        )
    try:
        return _check_and_save(use_case, actor, _require_reason(reason))
    except BadInput:
        _refuse_taken(slug)  # by somebody who was there between the two looks
        raise


def _refuse_taken(slug: str) -> None:
    if UseCase.objects.filter(slug=slug).exists():
        raise Conflict(f"a use case with the slug {slug!r} exists already")


@transaction.atomic
def use_case_update(*, actor: Actor, slug: str, reason: str, **changes: Any) -> UseCase:
    """Change a use case's definition; its slug stays, its lifecycle moves by use_case_move."""
    _refuse_unknown(changes, USE_CASE_FIELDS - FIXED)
    _refuse_wrong_types(changes)
    use_case = use_case_lock(slug)
    for name, value in changes.items():
        setattr(use_case, name, value)
    return _check_and_save(use_case, actor, _require_reason(reason))


@transaction.atomic
def use_case_move(*, actor: Actor, slug: str, to: str, reason: str) -> UseCase:
    """Move a use case through its lifecycle; the stop button is not an edit."""
    use_case = use_case_lock(slug)
    allowed = LIFECYCLE_MOVES[use_case.lifecycle]
    if not isinstance(to, str) or to not in allowed:
        words = ", ".join(sorted(allowed)) or "nothing"
        raise Conflict(
            f"a use case that is {use_case.lifecycle} cannot become {to!r}; allowed: {words}"
        )
    use_case.lifecycle = to
    return checked_save(use_case, actor=actor, reason=_require_reason(reason))


def _refuse_untexted(**values: object) -> None:
    """CharField would write str() of whatever comes; what is not text is refused instead."""
    faults = [
        FieldError(f"/{name}", f"{shown(value)} is not text")
        for name, value in values.items()
        if not isinstance(value, str)
    ]
    if faults:
        raise BadInput(faults)
    refuse_unstorable(**values)


@transaction.atomic
def ai_system_register(*, actor: Actor, name: str, reason: str = "", **data: Any) -> AISystem:
    _refuse_unknown(data, frozenset({"provider", "intended_purpose", "limits"}))
    _refuse_untexted(name=name, **data)
    if AISystem.objects.filter(name=name).exists():
        raise Conflict(f"an AI system named {name!r} exists already")
    return checked_save(AISystem(name=name, **data), actor=actor, reason=reason)


@transaction.atomic
def ai_system_update(*, actor: Actor, system: AISystem, reason: str, **changes: Any) -> AISystem:
    _refuse_unknown(changes, frozenset({"provider", "intended_purpose", "limits"}))
    _refuse_untexted(**changes)
    held = AISystem.objects.select_for_update(no_key=True).get(pk=system.pk)
    for name, value in changes.items():
        setattr(held, name, value)
    return checked_save(held, actor=actor, reason=_require_reason(reason))


def _check_accuracy(value: object) -> None:
    """A share, as text or number; true and false are numbers to Python, not to a person."""
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or not 0 <= number <= 1:
        detail = f"{shown(value)} is not an accuracy: a number from 0 to 1"
        raise BadInput(detail, "/declared_accuracy")


@transaction.atomic
def model_version_register(
    *, actor: Actor, system: AISystem, version: str, reason: str = "", **data: Any
) -> ModelVersion:
    _refuse_unknown(data, frozenset({"declared_accuracy", "notes"}))
    _refuse_untexted(version=version, notes=data.get("notes", ""))
    if data.get("declared_accuracy") is not None:
        _check_accuracy(data["declared_accuracy"])
    if ModelVersion.objects.filter(system=system, version=version).exists():
        raise Conflict(f"{system.name} {version} is registered already")
    return checked_save(
        ModelVersion(system=system, version=version, **data), actor=actor, reason=reason
    )


@transaction.atomic
def model_version_set_status(
    *, actor: Actor, model_version: ModelVersion, status: str, reason: str
) -> ModelVersion:
    """Withdraw a version (its outputs are blocked from then on) or put it back."""
    if status not in ("active", "withdrawn"):
        raise BadInput(f"{shown(status)} is not a status; allowed: active, withdrawn", "/status")
    held = ModelVersion.objects.select_for_update(no_key=True).get(pk=model_version.pk)
    if held.status == status:
        raise Conflict(f"{held} is {status} already")
    held.status = status
    return checked_save(held, actor=actor, reason=_require_reason(reason))


@transaction.atomic
def decision_right_grant(
    *, actor: Actor, use_case: UseCase, right: str, person: User, reason: str
) -> DecisionRight:
    if right not in RIGHTS:
        raise BadInput(f"{shown(right)} is not a right; allowed: {', '.join(RIGHTS)}", "/right")
    if DecisionRight.objects.filter(use_case=use_case, right=right, person=person).exists():
        raise Conflict(f"{person.username} holds {right} in {use_case.slug} already")
    held = DecisionRight(use_case=use_case, right=right, person=person)
    return checked_save(held, actor=actor, reason=_require_reason(reason))


@transaction.atomic
def decision_right_revoke(*, actor: Actor, right: DecisionRight, reason: str) -> None:
    held = DecisionRight.objects.select_for_update(no_key=True).get(pk=right.pk)
    held.delete(actor=actor, reason=_require_reason(reason))
