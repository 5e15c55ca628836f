"""Reading the trail: the ledger's records by filter, and the last verification."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from apps.audit.models import Leaf, VerificationRun
from apps.audit.record_schemas import schema_book
from apps.audit.sources import Source, sources
from apps.common.errors import BadInput, NotFound

# Beyond this a filter by decision or subject is no list to read, but an export.
MAX_MATCHES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """What is asked for; None asks nothing. ``visible``: slugs the reader may see, None for all.

    ``begin`` and ``end`` bound the time of the record: begin <= at < end.
    """

    visible: frozenset[str] | None
    use_case: str | None = None
    type: str | None = None
    actor: str | None = None
    subject: str | None = None
    decision: UUID | None = None
    begin: datetime | None = None
    end: datetime | None = None


def record_types() -> list[str]:
    """Every type that a record of this ledger can have."""
    return sorted(schema_book().schemas)


def visible_leaves(visible: frozenset[str] | None) -> QuerySet[Leaf]:
    """A reader limited to use cases sees the records of these, and none without a use case."""
    leaves: QuerySet[Leaf] = Leaf.objects.all()
    return leaves if visible is None else leaves.filter(use_case__in=visible)


def ledger_records(wanted: RecordFilter) -> QuerySet[Leaf]:
    """The sealed records that ``wanted`` describes.

    Raises BadInput for a type that no record has, and for a decision or subject with more than
    MAX_MATCHES records of one type.
    """
    if wanted.type is not None and wanted.type not in record_types():
        allowed = ", ".join(record_types())
        raise BadInput(f"{wanted.type!r} is not a record type; allowed: {allowed}", "/type")
    lookups = {
        "use_case": wanted.use_case,
        "record_type": wanted.type,
        "at__gte": wanted.begin,
        "at__lt": wanted.end,
    }
    given = {name: value for name, value in lookups.items() if value is not None}
    leaves = visible_leaves(wanted.visible).filter(**given)
    if wanted.actor is not None:
        leaves = leaves.filter(actor_id__in=_actor_ids(wanted.actor))
    if wanted.decision is not None:
        leaves = leaves.filter(_of_decision(wanted.decision))
    if wanted.subject is not None:
        leaves = leaves.filter(_with_value("subject_pseudonym", wanted.subject, "/subject"))
    return leaves


def _actor_ids(actor: str) -> set[str]:
    """``actor`` as records carry it, or the login of a person."""
    users: Any = get_user_model()
    login = users.normalize_username(actor)
    people = users.objects.filter(username=login).values_list("pk", flat=True)
    return {actor, *map(str, people)}


def _of_decision(decision: UUID) -> Q:
    """Records of the decision itself, and of all that belongs to it."""
    found = _with_value("decision_id", decision, "/decision")
    itself = sources().get("decision")
    return found if itself is None else found | _records(itself, "id", decision, "/decision")


def _with_value(column: str, value: object, pointer: str) -> Q:
    """Records of each type that has ``column``, where it holds ``value``; none if no type has."""
    found = Q(pk__in=[])
    for source in sources().values():
        if column in source.columns:
            found |= _records(source, column, value, pointer)
    return found


def _records(source: Source, column: str, value: object, pointer: str) -> Q:
    field = next(f for f in source.model._meta.concrete_fields if f.column == column)
    rows = source.model._default_manager.filter(**{field.attname: value})
    if source.live is not None:
        # The index is on the live table; history is indexed by its object alone.
        key = source.live._meta.pk.attname
        owners = source.live._base_manager.filter(**{field.attname: value}).values(key)
        rows = rows.filter(**{f"{key}__in": owners})
    ids = list(rows.order_by("-pk").values_list("pk", flat=True)[: MAX_MATCHES + 1])
    if len(ids) > MAX_MATCHES:
        words = f"{value} has more than {MAX_MATCHES} records of type {source.type}: export them"
        raise BadInput(words, pointer)
    return Q(record_type=source.type, record_id__in=ids)


def leaf_index_of(name: str) -> int:
    """The leaf that ``name`` means: an index, or ``type:id`` of a record.

    Raises BadInput for neither, NotFound where no such record is sealed.
    """
    record_type, colon, number = name.rpartition(":")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise BadInput(f"{name!r} is neither a leaf index nor type:id of a record", "/record")
    if not colon:
        return int(number)
    sealed = Leaf.objects.filter(record_type=record_type, record_id=int(number))
    index: int | None = sealed.values_list("index", flat=True).first()
    if index is None:
        raise NotFound(f"the ledger has no record {name!r}, or it has not been sealed yet")
    return index


def last_verification() -> VerificationRun | None:
    return VerificationRun.objects.order_by("-pk").first()
