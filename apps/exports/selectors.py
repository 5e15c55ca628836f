"""What an export takes out of the ledger: the records of a filter, the sizes it ties back to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from apps.audit.models import AccessEvent, Leaf
from apps.audit.record_schemas import schema_book
from apps.audit.sources import Source, sources
from apps.common.errors import BadInput, NotFound
from apps.common.saving import refuse_unstorable
from apps.decisions.domain.content import subject_pseudonym
from apps.registry.models import UseCase

EXPORT_MADE = "export_made"
CHUNK = 2_000
# A proof of consistency is about 1.5 kB and a verifier reads the file whole: the newest suffice.
EARLIER_SIZES = 5_000
SUBJECT_COLUMN, DECISION_COLUMN, DECISION_TYPE = "subject_pseudonym", "decision_id", "decision"
_PSEUDONYM = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFilter:
    """What is asked for; None asks nothing.

    ``actor``: an actor's id as records carry it, or a login. ``subject``: the subject's reference
    as it was sent in, or its pseudonym; ``pseudonyms``: the subject where these are known already.
    ``begin`` <= time of the record < ``end``, both aware.
    """

    use_case: str | None = None
    type: str | None = None
    actor: str | None = None
    subject: str | None = None
    pseudonyms: tuple[str, ...] = ()
    decision: UUID | None = None
    begin: datetime | None = None
    end: datetime | None = None

    @property
    def names_subject(self) -> bool:
        return self.subject is not None or bool(self.pseudonyms)


class LedgerRecord(NamedTuple):
    """A leaf, as an export reads it."""

    leaf_index: int
    type: str
    schema: int
    at: datetime
    data: str


def check_filter(wanted: ExportFilter) -> None:
    """Refuse what nothing can match: an unknown use case or type, a time range that ends first."""
    refuse_unstorable(use_case=wanted.use_case, actor=wanted.actor, subject=wanted.subject)
    slug = wanted.use_case
    if slug is not None and not UseCase.objects.filter(slug=slug).exists():
        raise NotFound(f"there is no use case {slug!r}")
    types = sorted(schema_book().schemas)
    if wanted.type is not None and wanted.type not in types:
        raise BadInput(f"{wanted.type!r} is no record type; allowed: {', '.join(types)}", "/type")
    if wanted.begin is not None and wanted.end is not None and wanted.begin >= wanted.end:
        words = f"{_moment(wanted.begin)} is not before to={_moment(wanted.end)}"
        raise BadInput(words, "/from")


def described(wanted: ExportFilter) -> dict[str, Any]:
    """The filter as the manifest and the trail keep it: the subject under pseudonyms alone."""
    return {
        "use_case": wanted.use_case,
        "type": wanted.type,
        "actor": wanted.actor,
        "subject_pseudonyms": subject_pseudonyms(wanted) if wanted.names_subject else None,
        "decision": None if wanted.decision is None else str(wanted.decision),
        "from": _moment(wanted.begin),
        "to": _moment(wanted.end),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def subject_pseudonyms(wanted: ExportFilter) -> list[str]:
    """The pseudonyms of the subject: one in each use case asked for, since each has its own."""
    if wanted.pseudonyms:
        return list(wanted.pseudonyms)
    subject = wanted.subject or ""
    if _PSEUDONYM.fullmatch(subject):
        return [subject]
    slugs: Iterable[str] = [wanted.use_case] if wanted.use_case else _all_slugs()
    key = settings.PSEUDONYM_KEY.encode()
    return sorted(subject_pseudonym(key, slug, subject) for slug in slugs)


def _all_slugs() -> Iterable[str]:
    slugs: Iterable[str] = UseCase.objects.values_list("slug", flat=True)
    return slugs


def matching_leaves(wanted: ExportFilter) -> QuerySet[Leaf]:
    """The sealed records that ``wanted`` describes; NotFound for an actor that nobody is."""
    lookups = {
        "use_case": wanted.use_case,
        "record_type": wanted.type,
        "at__gte": wanted.begin,
        "at__lt": wanted.end,
        "actor_id__in": None if wanted.actor is None else _actor_ids(wanted.actor),
    }
    given = {name: value for name, value in lookups.items() if value is not None}
    leaves: QuerySet[Leaf] = Leaf.objects.filter(**given)
    if wanted.decision is not None:
        leaves = leaves.filter(_of_decisions([wanted.decision]))
    if wanted.names_subject:
        leaves = leaves.filter(_of_subject(subject_pseudonyms(wanted)))
    return leaves


def _actor_ids(actor: str) -> list[str]:
    """``actor`` as records carry it, and the id of the person with that login."""
    users: Any = get_user_model()
    login = users.normalize_username(actor)
    people = [str(pk) for pk in users.objects.filter(username=login).values_list("pk", flat=True)]
    if not people and not Leaf.objects.filter(actor_id=actor).exists():
        raise NotFound(f"no person has the login {actor!r}, and no record has it as its actor's id")
    return [actor, *people]


def _of_subject(pseudonyms: list[str]) -> Q:
    """Records that carry a pseudonym, and all records of the decisions about that subject."""
    found = _with_value(SUBJECT_COLUMN, pseudonyms)
    decisions = sources().get(DECISION_TYPE)
    if decisions is None or SUBJECT_COLUMN not in decisions.columns:
        return found
    about = _rows(decisions, SUBJECT_COLUMN, pseudonyms)
    return found | _of_decisions(about.values("id"))


def _of_decisions(decisions: Any) -> Q:
    """Records of decisions (ids, or a query of ids) and of all that belongs to them."""
    found = _with_value(DECISION_COLUMN, decisions)
    itself = sources().get(DECISION_TYPE)
    return found if itself is None else found | _records(itself, "id", decisions)


def _with_value(column: str, values: Any) -> Q:
    """Records of each type that has ``column``, where it holds one of ``values``."""
    found = Q(pk__in=[])
    for source in sources().values():
        if column in source.columns:
            found |= _records(source, column, values)
    return found


def _records(source: Source, column: str, values: Any) -> Q:
    return Q(record_type=source.type, record_id__in=_rows(source, column, values).values("pk"))


def _rows(source: Source, column: str, values: Any) -> QuerySet[Any]:
    model: Any = source.model
    field = next(f for f in model._meta.concrete_fields if f.column == column)
    rows: QuerySet[Any] = model._default_manager.filter(**{f"{field.attname}__in": values})
    return rows.order_by()


def read_records(leaves: QuerySet[Leaf], tree_size: int) -> Iterator[LedgerRecord]:
    """The records below ``tree_size`` in leaf order, some thousands in memory at a time.

    By key, not by a cursor held open: an export may take minutes, and would hold back the
    database's clearing of old rows for as long.
    """
    position = -1
    columns = ("index", "record_type", "schema", "at", "data")
    while True:
        part = leaves.filter(index__gt=position, index__lt=tree_size).order_by("index")
        chunk = [LedgerRecord(*row) for row in part.values_list(*columns)[:CHUNK]]
        yield from chunk
        if len(chunk) < CHUNK:
            return
        position = chunk[-1].leaf_index


def earlier_sizes(tree_size: int) -> list[int]:
    """Tree sizes of the exports that are records below ``tree_size``, the newest of them.

    They are a function of the tree alone, so that the same filter at the same size gives the same
    bundle; read from the leaves, which the checkpoint covers.
    """
    made = AccessEvent.objects.filter(kind=EXPORT_MADE).order_by().values("pk")
    leaves = Leaf.objects.filter(
        record_type=AccessEvent.record_type, record_id__in=made, index__lt=tree_size
    ).order_by("-index")
    newest = leaves.values_list("data", flat=True)[:EARLIER_SIZES]
    return sorted({_exported_size(data) for data in newest})


def _exported_size(data: str) -> int:
    size = json.loads(json.loads(data)["detail"])["tree_size"]
    if not isinstance(size, int):
        raise ValueError(f"a record of an export names the tree size {size!r}")
    return size
