"""Versions of policies as pages show them: in plain words, what changes between two, who did what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from apps.accounts.callers import Caller
from apps.common.errors import Conflict, NotFound
from apps.policies.domain.diff import diff_in_plain_words
from apps.policies.domain.plain_words import describe
from apps.policies.domain.schema import InvalidDocumentError
from apps.policies.domain.validation import ValidatedPolicy, validate_policy
from apps.policies.models import PolicyStatus, PolicyVersion
from apps.policies.second_person import actors_known
from apps.policies.selectors import policy_diff, use_case_schema
from apps.registry.models import UseCase
from apps.web.decisions.access import may_act, visible_names

SHOWN: Final = 50
TONES: Final = {"active": "good", "proposed": "warn", "approved": "accent", "rejected": "bad"}


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version with what it changes against the one before it; ``misfit`` where that cannot be
    said, because one of them no longer fits the use case."""

    policy: PolicyVersion
    tone: str
    proposed_by: str
    approved_by: str
    changes: Sequence[str] = ()
    misfit: str = ""


def use_case_for(caller: Caller, slug: str) -> UseCase:
    """NotFound where the caller may not see its policies."""
    slugs = caller.visible("policy.view")
    held = UseCase.objects.filter(slug=slug).first()
    if held is None or (slugs is not None and slug not in slugs):
        raise NotFound(f"There is no use case {slug} whose policies you may see.")
    return held


def version_for(caller: Caller, slug: str, number: int) -> PolicyVersion:
    held = use_case_for(caller, slug)
    found: PolicyVersion | None = PolicyVersion.objects.filter(use_case=held, number=number).first()
    if found is None:
        raise NotFound(f"{held.name} has no version {number} of its policy.")
    found.use_case = held
    return found


def standing_of(use_case: UseCase) -> PolicyVersion | None:
    found: PolicyVersion | None = PolicyVersion.objects.filter(
        use_case=use_case, status=PolicyStatus.ACTIVE
    ).first()
    if found is not None:
        found.use_case = use_case
    return found


def coming_of(use_case: UseCase) -> list[PolicyVersion]:
    """Versions that are not in force yet and may come into it."""
    on_the_way = (PolicyStatus.DRAFT, PolicyStatus.PROPOSED, PolicyStatus.APPROVED)
    rows = PolicyVersion.objects.filter(use_case=use_case, status__in=on_the_way)
    return list(rows.order_by("-number")[:SHOWN])


def version_rows(use_case: UseCase) -> list[VersionRow]:
    """The newest versions, each against the one that was numbered before it."""
    rows = list(PolicyVersion.objects.filter(use_case=use_case).order_by("-number")[: SHOWN + 1])
    for row in rows:
        row.use_case = use_case
    names = _names(rows)
    read = {row.pk: _read(row) for row in rows}
    found = []
    for row, before in zip(rows[:SHOWN], [*rows[1:], None], strict=False):
        new, old = read[row.pk], read[before.pk] if before is not None else None
        misfit = new if isinstance(new, str) else ""
        changes: list[str] = []
        if isinstance(new, ValidatedPolicy):
            if isinstance(old, ValidatedPolicy):
                changes = diff_in_plain_words(old, new) or ["Nothing changes."]
            elif old is None:
                changes = ["The first version."]
        found.append(_row(row, names, changes, misfit))
    return found


def _row(
    row: PolicyVersion, names: dict[str, str], changes: Sequence[str], misfit: str
) -> VersionRow:
    return VersionRow(
        policy=row,
        tone=TONES.get(row.status, ""),
        proposed_by=names.get(row.proposed_by, ""),
        approved_by=names.get(row.approved_by, ""),
        changes=changes,
        misfit=misfit,
    )


def _names(rows: Iterable[PolicyVersion]) -> dict[str, str]:
    known = actors_known(who for row in rows for who in (row.proposed_by, row.approved_by))
    return {key: one.words for key, one in known.items()}


def _read(policy: PolicyVersion) -> ValidatedPolicy | str:
    """The version against the use case as it is now; in words why it does not fit."""
    try:
        return validate_policy(policy.document, use_case_schema(policy.use_case))
    except InvalidDocumentError as error:
        return str(error)


def words_of(policy: PolicyVersion) -> tuple[list[str], str]:
    """(the policy in sentences, why it does not fit the use case as it is now)."""
    read = _read(policy)
    return ([], read) if isinstance(read, str) else (describe(read), "")


def changes_between(old: PolicyVersion | None, new: PolicyVersion) -> list[str] | None:
    """What changes, a sentence a change; None where the two cannot be compared."""
    if old is None:
        return None
    try:
        return policy_diff(old, new)
    except Conflict:
        return None


@dataclass(frozen=True, slots=True)
class Moves:
    """What the reader may do with a version now. ``is_own``: they proposed it themselves, so that
    another person approves it."""

    edit: bool
    propose: bool
    approve: bool
    reject: bool
    is_own: bool


def moves_of(caller: Caller, policy: PolicyVersion) -> Moves:
    slug, status = policy.use_case_id, policy.status
    is_draft = status == PolicyStatus.DRAFT
    writes = is_draft and may_act(caller, "policy.propose", slug)
    decides = status in (PolicyStatus.PROPOSED, PolicyStatus.APPROVED) and may_act(
        caller, "policy.approve", slug
    )
    is_own = policy.proposed_by == caller.actor.id
    proposed = status == PolicyStatus.PROPOSED
    return Moves(writes, writes, decides and proposed and not is_own, decides, is_own and proposed)


# --- Over all use cases ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Overview:
    """One use case: the version in force, and what is on its way."""

    slug: str
    name: str
    standing: PolicyVersion | None
    coming: Sequence[VersionRow]


def overview(caller: Caller) -> list[Overview]:
    """Every use case whose policies the reader sees, those with something to approve first."""
    names = visible_names(caller, "policy.view")
    on_the_way = (PolicyStatus.DRAFT, PolicyStatus.PROPOSED, PolicyStatus.APPROVED)
    rows = list(
        PolicyVersion.objects.filter(
            use_case__in=list(names), status__in=[*on_the_way, PolicyStatus.ACTIVE]
        ).order_by("number")
    )
    who = _names(rows)
    standing = {row.use_case_id: row for row in rows if row.status == PolicyStatus.ACTIVE}
    coming: dict[str, list[VersionRow]] = {}
    for row in rows:
        if row.status != PolicyStatus.ACTIVE:
            coming.setdefault(row.use_case_id, []).append(_row(row, who, (), ""))
    found = [
        Overview(slug, name, standing.get(slug), coming.get(slug, ()))
        for slug, name in names.items()
    ]
    return sorted(found, key=_urgency)


def _urgency(one: Overview) -> tuple[int, str]:
    statuses = {row.policy.status for row in one.coming}
    order: list[Any] = [PolicyStatus.PROPOSED, PolicyStatus.DRAFT, PolicyStatus.APPROVED]
    ranks = [place for place, status in enumerate(order) if status in statuses]
    return (min(ranks, default=len(order)), one.name)
