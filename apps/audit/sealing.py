"""The sealer: pending records become leaves, nodes and a signed checkpoint, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from apps.audit import databases, keys, ledger
from apps.audit.domain import checkpoint as notes
from apps.audit.domain.merkle import Frontier, frontier_addresses
from apps.audit.models import Checkpoint
from apps.audit.records import reader_for_sealing
from apps.common.errors import LedgerBroken

BATCH = 20_000


def seal_all(batch: int = BATCH) -> int:
    """Seal everything that is pending; returns how many records."""
    total = 0
    while sealed := seal_batch(batch):
        total += sealed
    return total


def seal_batch(limit: int = BATCH) -> int:
    """Seal up to ``limit`` pending records under one lock: all of it happens, or nothing."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        database = databases.of(connection)
        database.lock_ledger(cursor)
        key = keys.signing_key()
        keys.register_key(key)
        pending = database.take_pending(cursor, limit)
        if not pending:
            return 0
        frontier = current_frontier()
        hashes = _insert_leaves(cursor, pending, frontier.size)
        database.insert_nodes(cursor, ledger.stored_nodes(frontier.extend(hashes)))
        _sign(frontier, key)
        return len(pending)


def current_frontier() -> Frontier:
    """The right edge of the stored tree; refuses to build on a head that does not hold."""
    head = ledger.head()
    if head is None:
        return Frontier()
    addresses = frontier_addresses(head.tree_size)
    stored = ledger.read_nodes(addresses)
    try:
        frontier = Frontier(head.tree_size, [stored[address] for address in addresses])
    except KeyError as error:
        raise LedgerBroken(f"the ledger lacks node {error} of its right edge") from None
    if frontier.root() != head.root_hash:
        raise LedgerBroken(
            f"the stored tree of {head.tree_size} leaves has not its checkpoint's root"
        )
    return frontier


def _insert_leaves(cursor: Any, pending: list[tuple[int, str, int]], first: int) -> list[bytes]:
    """The leaf hash of each pending row, in order; a row that is gone stops the sealing."""
    by_type: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, (_id, kind, row) in enumerate(pending, first):
        by_type[kind].append((index, row))
    made: dict[int, bytes] = {}
    for kind, entries in by_type.items():
        reader = reader_for_sealing(connection, kind)
        made.update(databases.of(connection).insert_leaves(cursor, reader, entries))
    try:
        return [made[index] for index in range(first, first + len(pending))]
    except KeyError as error:
        _id, kind, row = pending[error.args[0] - first]
        raise LedgerBroken(
            f"pending record {kind} {row} has no row: it was removed before sealing"
        ) from None


def _sign(frontier: Frontier, key: Any) -> None:
    root = frontier.root()
    body = notes.Checkpoint(settings.LEDGER_ORIGIN, frontier.size, root).body()
    note = notes.sign_note(body, settings.LEDGER_ORIGIN, key)
    Checkpoint(tree_size=frontier.size, root_hash=root, note=note).save()
