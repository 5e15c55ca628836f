"""Reading the ledger: the tree head, stored nodes, proofs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db import connection

from apps.audit.domain import merkle
from apps.audit.models import Checkpoint
from apps.common.errors import BadInput, NotFound

LEVEL_SHIFT = 56
# Below this level nodes are computed from leaves: of n interior nodes n/4 are left to store.
LOWEST_STORED = 3
READ_CHUNK = 500

LEAVES = 'SELECT "index", leaf_hash FROM audit_leaf WHERE "index" IN ({})'
NODES = "SELECT position, hash FROM audit_node WHERE position IN ({})"


class Head(NamedTuple):
    """The newest checkpoint."""

    tree_size: int
    root_hash: bytes
    note: str


def head() -> Head | None:
    row = (
        Checkpoint.objects.order_by("-tree_size")
        .values_list("tree_size", "root_hash", "note")
        .first()
    )
    return None if row is None else Head(row[0], bytes(row[1]), row[2])


def stored_nodes(completed: Iterable[tuple[int, int, bytes]]) -> list[tuple[int, bytes]]:
    """(position, hash) of those of the (level, index, hash) that the node table keeps."""
    return [
        (level << LEVEL_SHIFT | index, digest)
        for level, index, digest in completed
        if level >= LOWEST_STORED
    ]


def read_nodes(addresses: Sequence[tuple[int, int]]) -> Mapping[tuple[int, int], bytes]:
    """Hashes of complete subtrees by (level, index), of those that are here.

    The lowest levels are computed from their leaves.
    """
    found: dict[tuple[int, int], bytes] = {}
    for start in range(0, len(addresses), READ_CHUNK):
        chunk = addresses[start : start + READ_CHUNK]
        stored = _read_hashes({position for address in chunk for position in _positions(*address)})
        for address in chunk:
            below = [stored.get(position) for position in _positions(*address)]
            if None not in below:
                found[address] = merkle.complete_root(below)  # type: ignore[arg-type]
    return found


def _positions(level: int, index: int) -> Sequence[int]:
    """Where the hash of a subtree is stored, or those of its leaves: level 0 is the leaf's index."""
    if level >= LOWEST_STORED:
        return (level << LEVEL_SHIFT | index,)
    return range(index << level, index + 1 << level)


def _read_hashes(positions: Iterable[int]) -> dict[int, bytes]:
    """Position -> stored hash, in one query: a proof is read as often as its record is shown."""
    stored = {LEAVES: list[str](), NODES: list[str]()}
    for position in positions:
        stored[NODES if position >> LEVEL_SHIFT else LEAVES].append(str(position))
    queries = [query.format(",".join(found)) for query, found in stored.items() if found]
    if not queries:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(queries))
        return {position: bytes(value) for position, value in cursor.fetchall()}


def checked_head() -> Head:
    found = head()
    if found is None:
        raise NotFound("nothing has been sealed yet: the ledger has no checkpoint")
    return found


def prove_inclusion(leaf_index: int) -> tuple[bytes, list[bytes], Head]:
    """The leaf's hash, its proof to the newest checkpoint, and that checkpoint."""
    top = checked_head()
    if not 0 <= leaf_index < top.tree_size:
        raise NotFound(f"the ledger has no leaf {leaf_index}; it has {top.tree_size}")
    own, read = (0, leaf_index), dict[tuple[int, int], bytes]()

    def read_with_own(addresses: Sequence[tuple[int, int]]) -> Mapping[tuple[int, int], bytes]:
        read.update(read_nodes([own, *addresses]))
        return read

    proof = merkle.inclusion_proof(leaf_index, top.tree_size, read_with_own)
    leaf = read.get(own) or read_nodes([own]).get(own)
    if leaf is None:
        raise NotFound(f"leaf {leaf_index} of the ledger is gone: verify the trail")
    return leaf, proof, top


def prove_consistency(first: int, second: int) -> list[bytes]:
    """The proof that the ledger of ``first`` leaves is a prefix of that of ``second``."""
    size = checked_head().tree_size
    for name, value in (("first", first), ("second", second)):
        if not 0 <= value <= size:
            raise BadInput(
                f"{value} is not a size of this ledger; allowed: 0 to {size}", f"/{name}"
            )
    if first > second:
        raise BadInput(f"{first} is larger than second={second}", "/first")
    return merkle.consistency_proof(first, second, read_nodes)
