"""What of a use case its cells depend on: protected attributes, and a hash of all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apps.common.fields import stored_json
from apps.metrics.cells.families import VERSION
from apps.metrics.models import ReferenceProfile
from apps.registry.models import UseCase

PARTS = (("subject", "subject_attributes"), ("features", "features"))


def protected_attributes(use_case: UseCase) -> tuple[str, ...]:
    """The names of the protected attributes, sorted; those of subjects and those among features."""
    return tuple(sorted(protected_parts(use_case)))


def protected_parts(use_case: UseCase) -> dict[str, str]:
    """Protected attribute -> the part of the content that holds it; a subject's goes first."""
    found: dict[str, str] = {}
    for part, field in PARTS:
        for entry in getattr(use_case, field):
            if entry.get("protected"):
                found.setdefault(entry["name"], part)
    return found


def newest_profile(use_case: UseCase) -> ReferenceProfile | None:
    """The reference profile that days are counted on now; its document is read when asked for."""
    profiles = ReferenceProfile.objects.filter(use_case=use_case).defer("document")
    found: ReferenceProfile | None = profiles.order_by("-id").first()
    return found


def basis_of(use_case: UseCase, profile: ReferenceProfile | None) -> str:
    """A hash of all that cells depend on besides rows; days of another one are counted again.

    Returns: SHA-256, hex, of the version of the code, the labels, the protected attributes and the
    reference profile.
    """
    content = {
        "version": VERSION,
        "labels": list(use_case.labels),
        "favourable": use_case.favourable_label,
        "attributes": protected_parts(use_case),
        "profile": None if profile is None else str(profile.pk),
    }
    return hashlib.sha256(stored_json(content).encode()).hexdigest()


def group_of(value: Any) -> str | None:
    """The value of an attribute as the name of a group; None where there is none."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def values_of(contents: Sequence[Mapping[str, Any] | None], name: str) -> Iterator[Any]:
    """One value of each content; None where there is no content, or no such value in it."""
    return (None if held is None else held.get(name) for held in contents)
