"""Who may review a case: no interest in it, and the skills it asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime


def interest(
    person_id: str,
    *,
    submitted_by: str | None,
    earlier_reviewers: Collection[str],
    subject_logins: Collection[str],
    decided_before: Collection[str],
    contested: bool,
) -> str | None:
    """Why a person may not review a case, or None where nothing stands against it.

    Definition: a person has an interest in a case that they submitted, that they are the subject
    of, that is contested and was decided by them, or that they reviewed before.
    Parameters: ids of one kind throughout (the account's): ``submitted_by``, None where unknown;
    ``earlier_reviewers`` of the same case, without the seat that is asked about;
    ``subject_logins``, the accounts of the case's subject; ``decided_before``, whoever decided,
    adjudicated or intervened, which bears on a ``contested`` case alone.
    Returns: one sentence about the first interest found, or None.
    """
    if person_id == submitted_by:
        return "You submitted this case."
    if person_id in subject_logins:
        return "You are the subject of this case."
    if contested and person_id in decided_before:
        return "This case is contested, and you decided it before."
    if person_id in earlier_reviewers:
        return "You have reviewed this case before."
    return None


def qualified(
    required_skills: Iterable[str], held: Mapping[str, datetime | None], now: datetime
) -> list[str]:
    """The skills that a person lacks.

    Definition: a skill is held until ``valid_until``, that instant no longer.
    Parameters: ``required_skills``; ``held``, skill to the end of its validity (aware), None for
    one without an end; ``now``, aware.
    Returns: the missing and lapsed skills in the order required, each once; [] for qualified.
    """
    return [skill for skill in dict.fromkeys(required_skills) if not _holds(skill, held, now)]


def _holds(skill: str, held: Mapping[str, datetime | None], now: datetime) -> bool:
    if skill not in held:
        return False
    end = held[skill]
    return end is None or now < end
