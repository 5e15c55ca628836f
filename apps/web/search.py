"""One search: a decision by its id or the sender's, a use case, a person, a record of the trail."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from apps.accounts.callers import Caller
from apps.accounts.models import User
from apps.audit.selectors import leaf_index_of, visible_leaves
from apps.common.errors import PlatformError
from apps.decisions.models import Decision
from apps.decisions.selectors import newest_of
from apps.registry.models import UseCase
from apps.web.decisions.access import visible_decisions, visible_names
from apps.web.decisions.listing import WINDOW, one_use_case
from apps.workflow.desk.closed import closed_to

MOST: Final = 10  # of each sort
WAITS: Final = "waits for your answer"


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found. ``exact``: it is what was asked for, by its very name."""

    sort: str
    words: str
    note: str
    address: str
    exact: bool = False


def search(caller: Caller, text: str) -> list[Hit]:
    """What ``text`` names, of what the caller may see; exact ones first."""
    wanted = text.strip()
    if not wanted or not wanted.isprintable():
        return []
    found = [
        *_decisions(caller, wanted),
        *_use_cases(caller, wanted),
        *_people(caller, wanted),
        *_records(caller, wanted),
    ]
    return sorted(found, key=lambda hit: not hit.exact)


def _decisions(caller: Caller, text: str) -> list[Hit]:
    if not caller.may("decision.view"):
        return []
    names = visible_names(caller)
    rows = visible_decisions(caller)
    try:
        own = list(rows.filter(pk=UUID(text)))
    except ValueError:
        own = []
    # with the slugs the index on external ids serves
    exact = own or list(rows.filter(use_case__in=list(names), external_id=text)[:MOST])
    found = exact
    if not exact:
        newest = newest_of(rows, WINDOW, of_one_use_case=one_use_case(caller, {}))
        keys = newest.filter(external_id__icontains=text).order_by("-pk").values_list("pk")
        found = list(
            Decision.objects.filter(pk__in=[key for (key,) in keys[:MOST]]).order_by("-pk")
        )
    closed = closed_to(caller, [one.pk for one in found])
    return [
        Hit(
            "Decision",
            one.external_id,
            ", ".join([names.get(one.use_case_id, one.use_case_id), *_state(one, closed)]),
            reverse("decision", args=[one.pk]),
            exact=bool(exact),
        )
        for one in found
    ]


def _state(decision: Decision, closed: Container[UUID]) -> list[str]:
    return [WAITS] if decision.pk in closed else [decision.lane, decision.status]


def _use_cases(caller: Caller, text: str) -> list[Hit]:
    slugs = caller.visible("use_case.view")
    rows = UseCase.objects.filter(Q(name__icontains=text) | Q(slug__icontains=text))
    rows = rows if slugs is None else rows.filter(slug__in=slugs)
    return [
        Hit(
            "Use case",
            one.name,
            f"{one.slug}, {one.lifecycle}",
            reverse("use_case", args=[one.slug]),
            exact=text.lower() in (one.slug, one.name.lower()),
        )
        for one in rows.order_by("name")[:MOST]
    ]


def _people(caller: Caller, text: str) -> list[Hit]:
    if not caller.may("person.view"):
        return []
    rows = User.objects.filter(Q(name__icontains=text) | Q(username__icontains=text))
    return [
        Hit(
            "Person",
            one.name,
            one.username,
            reverse("person", args=[one.pk]),
            exact=text.lower() in (one.username.lower(), one.name.lower()),
        )
        for one in rows.order_by("name")[:MOST]
    ]


def _records(caller: Caller, text: str) -> list[Hit]:
    """By its place in the ledger, or as ``type:id``."""
    if not caller.may("audit.view"):
        return []
    try:
        index = leaf_index_of(text)
    except PlatformError:
        return []
    leaf = visible_leaves(caller.visible("audit.view")).filter(index=index).first()
    if leaf is None:
        return []
    note = f"{leaf.record_type} {leaf.record_id}"
    return [Hit("Record", f"Record {index}", note, reverse("record", args=[index]), exact=True)]
