"""Reading the trail for pages: lists of records, one record with its proof, the trail's state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from apps.audit import delivery, ledger
from apps.audit.domain.merkle import leaf_hash, verify_inclusion
from apps.audit.models import Checkpoint, Leaf, PendingRecord, VerificationRun
from apps.audit.selectors import RecordFilter, last_verification, ledger_records, visible_leaves
from apps.audit.sources import sources
from apps.common.changes import VERBS
from apps.common.errors import NotFound

PAGE = 50
SHOWN_RUNS, SHOWN_CHECKPOINTS, SHOWN_FINDINGS = 10, 15, 100


class RecordRow(NamedTuple):
    """One sealed record as a list shows it."""

    leaf_index: int
    at: datetime
    type: str
    use_case: str | None
    what: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordPage:
    """``older`` and ``newer``: the leaf indexes that the neighbouring pages begin after."""

    rows: Sequence[RecordRow]
    older: int | None
    newer: int | None


def record_page(
    wanted: RecordFilter, *, before: int | None = None, after: int | None = None
) -> RecordPage:
    """Newest first; ``before`` pages towards older records, ``after`` towards newer ones."""
    leaves = ledger_records(wanted)
    if after is not None:
        found = list(leaves.filter(index__gt=after).order_by("index")[: PAGE + 1])
        more, found = len(found) > PAGE, found[:PAGE][::-1]
        has_newer, has_older = more, True
    else:
        if before is not None:
            leaves = leaves.filter(index__lt=before)
        found = list(leaves.order_by("-index")[: PAGE + 1])
        more, found = len(found) > PAGE, found[:PAGE]
        has_newer, has_older = before is not None, more
    if not found:
        return RecordPage([], None, None)
    return RecordPage(
        [_row(leaf) for leaf in found],
        older=found[-1].index if has_older else None,
        newer=found[0].index if has_newer else None,
    )


def _row(leaf: Leaf) -> RecordRow:
    record = orjson.loads(leaf.data)  # of some hundred KB where it is a reference profile
    named = record.get("history_user_name") or record.get("actor_name")
    return RecordRow(
        leaf_index=leaf.index,
        at=leaf.at,
        type=leaf.record_type,
        use_case=leaf.use_case,
        what=what_happened(record),
        actor=named or leaf.actor_id or "system",
        reason=record.get("history_change_reason") or "",
    )


def what_happened(record: dict[str, Any]) -> str:
    """One phrase: ``person created``, ``signed in``, ``ledger key written``."""
    if record["type"] == "access_event":
        times = f", {record['count']} times" if record["count"] > 1 else ""
        return str(record["kind"]).replace("_", " ") + times
    source = sources().get(record["type"])
    live = source.live if source else None
    kind = live._meta.verbose_name if live else record["type"].replace("_", " ")
    return f"{kind} {VERBS.get(record.get('history_type', ''), 'written')}"


@dataclass(frozen=True, slots=True)
class RecordDetail:
    """One record, its bytes' hash, and whether its proof leads to the signed root."""

    leaf: Leaf
    what: str
    fields: Sequence[tuple[str, Any]]
    computed_hash: str
    stored_hash: str
    proof: Sequence[str]
    tree_size: int
    root: str
    note: str
    proven: bool


def record_detail(leaf_index: int, visible: frozenset[str] | None) -> RecordDetail:
    """The record at ``leaf_index``, its hash recomputed from its bytes and its proof checked."""
    leaf = visible_leaves(visible).filter(index=leaf_index).first()
    if leaf is None:
        raise NotFound(f"There is no record {leaf_index} that you may see.")
    stored, proof, head = ledger.prove_inclusion(leaf_index)
    computed = leaf_hash(leaf.data.encode())
    record = json.loads(leaf.data)
    return RecordDetail(
        leaf=leaf,
        what=what_happened(record),
        fields=[(name, value) for name, value in record.items() if name not in {"type", "schema"}],
        computed_hash=computed.hex(),
        stored_hash=stored.hex(),
        proof=[step.hex() for step in proof],
        tree_size=head.tree_size,
        root=head.root_hash.hex(),
        note=head.note,
        proven=verify_inclusion(leaf_index, head.tree_size, computed, proof, head.root_hash),
    )


class WitnessState(NamedTuple):
    name: str
    waiting: int


@dataclass(frozen=True, slots=True)
class TrailState:
    """How the trail stands: what the start page and the health page show."""

    sealed: int
    pending: int
    checkpoint: Checkpoint | None
    run: VerificationRun | None
    witnesses: Sequence[WitnessState] = field(default_factory=list)


def trail_state() -> TrailState:
    checkpoint = Checkpoint.objects.order_by("-tree_size").first()
    return TrailState(
        sealed=checkpoint.tree_size if checkpoint else 0,
        pending=PendingRecord.objects.count(),
        checkpoint=checkpoint,
        run=last_verification(),
        witnesses=[
            WitnessState(witness.name, delivery.undelivered(witness.name))
            for witness in delivery.witnesses()
        ],
    )


def recent_runs() -> list[VerificationRun]:
    return list(VerificationRun.objects.order_by("-id")[:SHOWN_RUNS])


def recent_checkpoints() -> list[Checkpoint]:
    return list(Checkpoint.objects.order_by("-tree_size")[:SHOWN_CHECKPOINTS])
