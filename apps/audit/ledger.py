"""Reading the ledger: the tree head, stored nodes, proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from apps.audit.domain import merkle
from apps.audit.models import Checkpoint, Leaf, Node
from apps.common.errors import BadInput, NotFound

LEVEL_SHIFT = 56
READ_CHUNK = 500


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


def read_nodes(addresses: Sequence[tuple[int, int]]) -> Mapping[tuple[int, int], bytes]:
    """Hashes of complete subtrees by (level, index): leaves and stored nodes, a query each."""
    found: dict[tuple[int, int], bytes] = {}
    leaves = [index for level, index in addresses if level == 0]
    positions = [level << LEVEL_SHIFT | index for level, index in addresses if level]
    for start in range(0, len(leaves), READ_CHUNK):
        chunk = leaves[start : start + READ_CHUNK]
        for index, value in Leaf.objects.filter(index__in=chunk).values_list("index", "leaf_hash"):
            found[0, index] = bytes(value)
    for start in range(0, len(positions), READ_CHUNK):
        chunk = positions[start : start + READ_CHUNK]
        for position, value in Node.objects.filter(position__in=chunk).values_list(
            "position", "hash"
        ):
            found[position >> LEVEL_SHIFT, position & (1 << LEVEL_SHIFT) - 1] = bytes(value)
    return found


def checked_head() -> Head:
    found = head()
    if found is None:
        raise NotFound("nothing has been sealed yet: the ledger has no checkpoint")
    return found


def prove_inclusion(leaf_index: int) -> tuple[bytes, list[bytes], Head]:
    """The leaf's hash, its proof to the newest checkpoint, and that checkpoint."""
    top = checked_head()
    leaf = Leaf.objects.filter(index=leaf_index).values_list("leaf_hash", flat=True).first()
    if leaf is None or leaf_index >= top.tree_size:
        raise NotFound(f"the ledger has no leaf {leaf_index}; it has {top.tree_size}")
    return bytes(leaf), merkle.inclusion_proof(leaf_index, top.tree_size, read_nodes), top


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
