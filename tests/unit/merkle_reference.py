"""A slow Merkle tree, written straight from RFC 6962 section 2.1, and a log held in memory."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from apps.audit.domain.merkle import Address, Frontier, leaf_hash


def k_of(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: Sequence[bytes]) -> bytes:
    """The Merkle Tree Hash of a list of leaves (section 2.1)."""
    if not d:
        return sha256(b"").digest()
    if len(d) == 1:
        return sha256(b"\x00" + d[0]).digest()
    k = k_of(len(d))
    return sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: Sequence[bytes]) -> list[bytes]:
    """The audit path of leaf m (section 2.1.1)."""
    if len(d) == 1:
        return []
    k = k_of(len(d))
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def proof(m: int, d: Sequence[bytes]) -> list[bytes]:
    """The consistency proof from the first m leaves (section 2.1.2)."""
    return subproof(m, d, True)


def subproof(m: int, d: Sequence[bytes], b: bool) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    k = k_of(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


class MemoryLog:
    """Leaves with the nodes that a log would store; counts how it is read."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = list(leaves)
        hashes = [leaf_hash(leaf) for leaf in self.leaves]
        self.nodes: dict[Address, bytes] = {(0, i): value for i, value in enumerate(hashes)}
        self.nodes |= {(level, i): value for level, i, value in Frontier().extend(hashes)}
        self.reads: list[list[Address]] = []

    def read(self, addresses: Sequence[Address]) -> Mapping[Address, bytes]:
        self.reads.append(list(addresses))
        return {address: self.nodes[address] for address in addresses if address in self.nodes}
