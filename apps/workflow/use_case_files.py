"""Use case files: a definition and its policy in one JSON document, loaded as a whole or not at all.

Loading is declarative: what the file says holds afterwards, and what holds already is left alone,
so that the same file again changes nothing. A definition's key that the file leaves out stays as
it is; a policy's key that is left out has its default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.accounts.callers import caller_of_user
from apps.accounts.models import User
from apps.accounts.services import person_create, role_grant
from apps.common.actor import Actor
from apps.common.errors import BadInput, FieldError
from apps.common.fields import stored_json
from apps.common.saving import pointer_to, refuse_unstorable
from apps.decisions.domain.strict_json import parse_object
from apps.policies.domain.schema import InvalidDocumentError
from apps.policies.domain.validation import content_hash, validate_policy
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.selectors import use_case_schema
from apps.policies.services import policy_approve, policy_draft, policy_propose
from apps.registry.access import require_right
from apps.registry.models import Lifecycle, UseCase
from apps.registry.services import (
    USE_CASE_FIELDS,
    use_case_create,
    use_case_move,
    use_case_update,
)
from apps.registry.validation import DATES, shown

MAX_BYTES = 16 * 1024 * 1024
REASON = "load_use_case"
PARTS = ("use_case", "policy", "proposer", "approver")
# What a file calls differently than the model does.
NAMES = {"models": "models_mode"}
USE_CASE_KEYS = sorted((USE_CASE_FIELDS - set(NAMES.values())) | NAMES.keys())


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file came to: the policy is the one that is active afterwards."""

    use_case: UseCase
    created: bool
    changed: tuple[str, ...]
    policy: PolicyVersion
    policy_added: bool

    def document(self) -> dict[str, Any]:
        policy = self.policy
        return {
            "use_case": self.use_case.slug,
            "created": self.created,
            "changed": list(self.changed),
            "policy": {
                "number": policy.number,
                "status": policy.status,
                "content_hash": policy.content_hash,
                "added": self.policy_added,
            },
        }


@dataclass(frozen=True, slots=True)
class _File:
    """A file's parts, of the right shape; their content is the services' to judge."""

    definition: dict[str, Any]
    policy: dict[str, Any]
    proposer: str
    approver: str


def use_case_load(*, actor: Actor, raw: bytes) -> Loaded:
    """Create the use case of a file and its active policy, or bring both up to the file.

    Raises:
        BadInput: the file is not valid; each fault with its pointer. Conflict: the lifecycle does
        not move there. NotPermitted: a person of the file may not propose, or approve, there.
    """
    file = _read(raw)
    with transaction.atomic():
        held = UseCase.objects.select_for_update(no_key=True).filter(slug=_slug(file)).first()
        with _within("/use_case"):
            use_case, changed = _define(actor, held, file.definition)
        policy, added = _bring_into_force(actor, use_case, file)
    return Loaded(use_case, held is None, tuple(changed), policy, added)


# --- Reading --------------------------------------------------------------------------------


def _read(raw: bytes) -> _File:
    data = parse_object(raw, max_bytes=MAX_BYTES)
    faults = [*_unknown(data, PARTS, ""), *_shape_faults(data)]
    definition = data.get("use_case")
    if isinstance(definition, dict):
        faults += _unknown(definition, USE_CASE_KEYS, "/use_case")
        if not isinstance(definition.get("slug"), str):
            faults.append(FieldError("/use_case/slug", "a slug is needed, as text"))
    if faults:
        raise BadInput(faults)
    file = _File(*(data[part] for part in PARTS))  # type: ignore[arg-type]
    _refuse_same_person(file)
    return file


def _unknown(data: Mapping[str, Any], known: Iterable[str], pointer: str) -> Iterator[FieldError]:
    allowed = ", ".join(known)
    for key in sorted(data.keys() - set(known)):
        yield FieldError(pointer_to(pointer, key), f"unknown key; allowed: {allowed}")


def _shape_faults(data: Mapping[str, Any]) -> Iterator[FieldError]:
    shapes: dict[str, tuple[type, str]] = dict.fromkeys(PARTS[:2], (dict, "an object"))
    shapes |= dict.fromkeys(PARTS[2:], (str, "a person's login, as text"))
    for part, (kind, words) in shapes.items():
        if part not in data:
            yield FieldError(f"/{part}", f"{part} is needed: {words}")
        elif not isinstance(data[part], kind):
            yield FieldError(f"/{part}", f"{shown(data[part])} is not {words}")


def _refuse_same_person(file: _File) -> None:
    if User.normalize_username(file.proposer) == User.normalize_username(file.approver):
        detail = f"{shown(file.approver)} proposes the policy; another person must approve it"
        raise BadInput(detail, "/approver")


def _slug(file: _File) -> str:
    with _within("/use_case"):
        refuse_unstorable(slug=file.definition["slug"])
    return str(file.definition["slug"])


@contextmanager
def _within(part: str) -> Iterator[None]:
    """A service's pointers, as places in the file."""
    try:
        yield
    except BadInput as error:
        named = {f"/{column}": f"/{key}" for key, column in NAMES.items()}
        raise BadInput(
            FieldError(part + named.get(fault.pointer, fault.pointer), fault.detail)
            for fault in error.errors
        ) from None


# --- The definition -------------------------------------------------------------------------


def _define(
    actor: Actor, held: UseCase | None, definition: Mapping[str, Any]
) -> tuple[UseCase, list[str]]:
    """The use case as the file defines it, and what changed of one that was there."""
    fields = {NAMES.get(key, key): value for key, value in definition.items()}
    if fields.get("owner") is not None:
        fields["owner"] = _owner(fields["owner"])
    if held is None:
        fields = {"lifecycle": Lifecycle.LIVE.value, **fields}
        return use_case_create(actor=actor, reason=REASON, **fields), []
    changes = {k: v for k, v in fields.items() if not _holds(getattr(held, k), k, v)}
    lifecycle = changes.pop("lifecycle", None)
    use_case = held
    if changes:
        use_case = use_case_update(actor=actor, slug=held.slug, reason=REASON, **changes)
    if lifecycle is not None:
        use_case = use_case_move(actor=actor, slug=held.slug, to=lifecycle, reason=REASON)
    names = {column: key for key, column in NAMES.items()}
    moved = [] if lifecycle is None else ["lifecycle"]
    return use_case, sorted([*(names.get(name, name) for name in changes), *moved])


def _owner(login: object) -> User:
    if isinstance(login, str):
        refuse_unstorable(owner=login)
        found = _known(login)
        if found is not None:
            return found
    raise BadInput(f"{shown(login)} is not the login of a person", "/owner")


def _holds(stored: object, name: str, value: object) -> bool:
    """Whether a column holds a value of the file already; 1 and true are equal to Python alone."""
    if isinstance(value, dict | list | bool | int) and not isinstance(stored, Decimal):
        return stored_json(stored) == stored_json(value)
    return stored == _as_stored(name, value)


def _as_stored(name: str, value: object) -> object:
    """A value of the file in the column's own type, so that equal values compare as equal.

    What is not of its type is left as it is: it differs, and the service says what is wrong.
    """
    try:
        if name in DATES and isinstance(value, str):
            return date.fromisoformat(value)
        if name == "tolerance" and isinstance(value, str | int | float):
            return Decimal(str(value))
    except (ValueError, ArithmeticError):
        return value
    return value


# --- The policy -----------------------------------------------------------------------------


def _bring_into_force(actor: Actor, use_case: UseCase, file: _File) -> tuple[PolicyVersion, bool]:
    """The active version with the file's content, and whether it is a new one."""
    proposer, approver = (_person(actor, file, part) for part in PARTS[2:])
    wanted = _hash_of(file.policy, use_case)
    active = PolicyVersion.objects.filter(use_case=use_case, status=PolicyStatus.ACTIVE).first()
    if active is not None and active.content_hash == wanted:
        return active, False
    require_right(caller_of_user(proposer), "policy.propose", use_case.slug)
    require_right(caller_of_user(approver), "policy.approve", use_case.slug)
    reason = f"{REASON} by {actor.id}"
    draft = policy_draft(
        actor=proposer.actor, use_case=use_case, document=file.policy, reason=reason
    )
    proposed = policy_propose(actor=proposer.actor, policy=draft, reason=reason)
    return policy_approve(actor=approver.actor, policy=proposed, reason=reason), True


def _hash_of(policy: dict[str, Any], use_case: UseCase) -> str:
    """The content hash that the policy would have; its faults as places in the file."""
    named = policy.get("use_case", use_case.slug)
    if named != use_case.slug:
        detail = f"{shown(named)} is not the use case of this file, {use_case.slug!r}"
        raise BadInput(detail, "/policy/use_case")
    try:
        valid = validate_policy(policy, use_case_schema(use_case))
    except InvalidDocumentError as error:
        raise BadInput(
            FieldError(f"/policy{place}", detail) for place, detail in error.problems
        ) from None
    return content_hash(valid.document)


def _known(login: str) -> User | None:
    found: User | None = User.objects.filter(username=User.normalize_username(login)).first()
    return found


def _person(actor: Actor, file: _File, part: str) -> User:
    """The person with the login; one who does not exist becomes a risk lead without a password."""
    login = getattr(file, part)
    try:
        refuse_unstorable(username=login)
        found = _known(login)
        if found is not None:
            return found
        user = person_create(actor=actor, username=login, reason=REASON)
    except BadInput as error:
        raise BadInput(FieldError(f"/{part}", fault.detail) for fault in error.errors) from None
    role_grant(actor=actor, user=user, role="risk_lead", reason=REASON)
    return user
