"""Saved views: the query of a list's address under a name, each person's own."""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import BadInput, Conflict, NotFound
from apps.web.models import SavedView

MOST: Final = 50
MAX_NAME: Final = 80


def views_of(person: User) -> list[SavedView]:
    return list(SavedView.objects.filter(person=person).order_by("name")[:MOST])


@transaction.atomic
def view_save(*, person: User, name: str, query: str) -> SavedView:
    """Keep ``query`` under ``name``; under a name that is taken it replaces what was there."""
    wanted = " ".join(name.split())
    if not 1 <= len(wanted) <= MAX_NAME:
        raise BadInput(f"{wanted[:80]!r} is not a name of 1 to {MAX_NAME} characters", "/name")
    if len(query) > 2000 or not query.isprintable():
        raise BadInput("the view is too long to be kept: narrow it by less", "/query")
    held = SavedView.objects.filter(person=person, name=wanted).first()
    if held is None:
        if SavedView.objects.filter(person=person).count() >= MOST:
            raise Conflict(f"you keep {MOST} views already: remove one first")
        held = SavedView(person=person, name=wanted)
    held.query, held.created_at = query, timezone.now()
    held.save()
    return held


def view_remove(*, person: User, key: int) -> str:
    """Forget a view; returns its name."""
    held = SavedView.objects.filter(person=person, pk=key).first()
    if held is None:
        raise NotFound(f"You keep no view {key}.")
    name = held.name
    held.delete()
    return name
