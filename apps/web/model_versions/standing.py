"""Where a model version stands: listed with its system, and where its outputs were used of late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms
from django.db.models import Count, Q, QuerySet

from apps.accounts.callers import Caller
from apps.common.errors import NotFound
from apps.decisions.selectors import newest_of
from apps.registry.models import ModelVersion
from apps.web.decisions.access import visible_decisions, visible_names

# Of the newest decisions, so that the page costs the same with more: nothing finds those of one
# version without reading all.
COUNTED: Final = 10_000
STATES: Final = {"": "Any", "active": "active", "withdrawn": "withdrawn"}


class VersionFilter(forms.Form):
    q = forms.CharField(label="AI system or version", required=False, max_length=200)
    status = forms.ChoiceField(label="State", choices=list(STATES.items()), required=False)


@dataclass(frozen=True, slots=True)
class Use:
    """A use case in which the version was used: how many of the newest decisions are its own."""

    slug: str
    name: str
    n: int


def versions(wanted: Mapping[str, Any]) -> QuerySet[ModelVersion]:
    """By system and version, as far as they meet ``wanted``: ``q``, part of a name, ``status``."""
    rows: QuerySet[ModelVersion] = ModelVersion.objects.select_related("system")
    if text := wanted.get("q"):
        rows = rows.filter(Q(system__name__icontains=text) | Q(version__icontains=text))
    if wanted.get("status"):
        rows = rows.filter(status=wanted["status"])
    return rows.order_by("system__name", "version")


def version_for(key: UUID) -> ModelVersion:
    found: ModelVersion | None = versions({}).filter(pk=key).first()
    if found is None:
        raise NotFound(f"There is no model version {key}.")
    return found


def uses_of(caller: Caller, version: ModelVersion) -> list[Use]:
    """Where the version was used among the newest decisions that ``caller`` may see."""
    names = visible_names(caller)
    newest = newest_of(visible_decisions(caller), COUNTED)
    rows = newest.filter(model_version=version).order_by()
    found = rows.values_list("use_case_id").annotate(n=Count("pk"))
    return sorted((Use(slug, names[slug], n) for slug, n in found), key=lambda use: -use.n)
