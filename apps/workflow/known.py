"""Which cases of a use case are there already, by external id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from apps.common.columns import Reading, fetched
from apps.decisions.bulk.keys import by_texts


class KnownCase(NamedTuple):
    """What past verdicts and outcomes need to know of a decision."""

    id: str
    kind: str
    label: str | None


Digests = dict[str, tuple[str, str | None]]


def digests_reading(use_case: str, external_ids: Sequence[str]) -> Reading[Digests]:
    """external id -> (decision id, keyed digest of its content; None after an erasure)."""
    query = (
        "SELECT d.external_id, d.id, p.digest FROM decisions_decision d "
        "LEFT JOIN decisions_payload p ON p.decision = d.id WHERE d.use_case_id = %s"
    )
    if len(external_ids) == 1:  # the planner needs no help with one, and less time
        query, keys = f"{query} AND d.external_id = %s", [use_case, *external_ids]
    else:
        query, keys = by_texts(query, "d.external_id", external_ids)
        keys = [*keys, use_case]
    return Reading(
        query,
        keys,
        lambda rows: {external: (id_text(key), digest) for external, key, digest in rows},
    )


def known_cases(use_case: str, external_ids: Sequence[str]) -> dict[str, KnownCase]:
    """external id -> what stands on the decision's row."""
    query, keys = by_texts(
        "SELECT external_id, id, kind, label FROM decisions_decision WHERE use_case_id = %s",
        "external_id",
        external_ids,
    )
    rows = fetched(query, [*keys, use_case])
    return {external: KnownCase(id_text(key), *rest) for external, key, *rest in rows}


def id_text(key: UUID | str) -> str:
    """A UUID as text with hyphens; SQLite keeps it without."""
    return str(key if isinstance(key, UUID) else UUID(key))
