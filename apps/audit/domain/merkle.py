"""RFC 6962 / RFC 9162 Merkle trees over SHA-256: growing, proving, verifying.

A stored node is a complete subtree with the address (level, index): level 0 holds the leaf hashes,
and node (level, index) covers the leaves [index * 2**level, (index + 1) * 2**level). Nodes on the
right edge that are not complete change with every append; they are computed, never stored.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import count, repeat

HASH_SIZE = 32
LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"
EMPTY_ROOT = sha256(b"").digest()

Address = tuple[int, int]
Range = tuple[int, int]
NodeReader = Callable[[Sequence[Address]], Mapping[Address, bytes]]


def leaf_hash(data: bytes) -> bytes:
    """Hash one leaf: SHA-256(0x00 || data).

    data: the leaf's bytes, any length. Returns 32 bytes.
    Source: RFC 9162 section 2.1.1.
    """
    return sha256(LEAF_PREFIX + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash an interior node: SHA-256(0x01 || left || right).

    left, right: the children's hashes, 32 bytes each. Returns 32 bytes.
    Source: RFC 9162 section 2.1.1.
    """
    return sha256(NODE_PREFIX + left + right).digest()


def frontier_addresses(size: int) -> list[Address]:
    """List the complete subtrees that together cover the first `size` leaves, largest first.

    There is one for each 1 bit of `size`. size: number of leaves, at least 0.
    Returns addresses (level, index). Raises ValueError for a negative size.
    Source: transparency-dev merkle, "compact ranges".
    """
    if size < 0:
        raise ValueError(f"a tree cannot have {size} leaves")
    return list(_cover(0, size))


class Frontier:
    """The right edge of a growing tree: its size and the hashes of its complete subtrees.

    Enough to append and to compute the root, in O(log n) memory.
    Source: transparency-dev merkle, "compact ranges".
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Restore the frontier of a tree.

        size: number of leaves; hashes: 32 bytes for each of `frontier_addresses(size)`.
        Raises ValueError when their number or length does not fit.
        """
        addresses = frontier_addresses(size)
        if len(hashes) != len(addresses) or any(len(h) != HASH_SIZE for h in hashes):
            raise ValueError(f"a tree of size {size} has {len(addresses)} hashes of 32 bytes")
        self._size = size
        self._by_level = {level: value for (level, _), value in zip(addresses, hashes, strict=True)}

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def hashes(self) -> list[bytes]:
        """The hashes of `frontier_addresses(size)`, largest subtree first."""
        return [self._by_level[level] for level, _ in frontier_addresses(self._size)]

    def root(self) -> bytes:
        """Compute the root hash of the tree (32 bytes; SHA-256 of nothing for the empty tree)."""
        return _fold(self.hashes) if self._size else EMPTY_ROOT

    def extend(self, leaf_hashes: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Append leaves and return the interior nodes that they completed.

        leaf_hashes: 32 bytes each, in leaf order.
        Returns (level, index, hash) with level >= 1, level by level, by index within a level.
        Raises ValueError for a hash of another length; nothing is appended then.
        Source: RFC 9162 section 2.1.1, evaluated from the bottom.
        """
        if any(len(value) != HASH_SIZE for value in leaf_hashes):
            raise ValueError("a leaf hash has 32 bytes")
        completed: list[tuple[int, int, bytes]] = []
        nodes, level, start = list(leaf_hashes), 0, self._size
        while nodes:
            if start & 1:
                nodes.insert(0, self._by_level.pop(level))
            if len(nodes) & 1:
                self._by_level[level] = nodes[-1]
            nodes = [
                sha256(NODE_PREFIX + left + right).digest()
                for left, right in zip(nodes[::2], nodes[1::2], strict=False)
            ]
            level, start = level + 1, start >> 1
            completed.extend(zip(repeat(level), count(start), nodes))
        self._size += len(leaf_hashes)
        return completed


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Compute the hash of a complete subtree from the hashes of its leaves.

    hashes: 32 bytes each, their number a power of two. A single one is returned as it is.
    Returns 32 bytes. Raises ValueError for another number of hashes.
    Source: RFC 9162 section 2.1.1.
    """
    if len(hashes).bit_count() != 1:
        raise ValueError(f"a complete subtree has 1, 2, 4, 8... leaves, not {len(hashes)}")
    while len(hashes) > 1:
        hashes = list(map(node_hash, hashes[::2], hashes[1::2]))
    return hashes[0]


def root_at(tree_size: int, read: NodeReader) -> bytes:
    """Compute the root that the tree had at a size, from stored nodes.

    tree_size: at least 0, at most the stored number of leaves.
    read: called once with all addresses needed (O(log n)); not at all for the empty tree.
    Returns 32 bytes. Raises ValueError for a negative size, LookupError for a node not stored.
    Source: RFC 9162 section 2.1.1.
    """
    if tree_size < 0:
        raise ValueError(f"a tree cannot have {tree_size} leaves")
    return _read_hashes([(0, tree_size)], read)[0] if tree_size else EMPTY_ROOT


def inclusion_proof(leaf_index: int, tree_size: int, read: NodeReader) -> list[bytes]:
    """Make the proof that a leaf is in the tree of a size: PATH(leaf_index, D[tree_size]).

    leaf_index: 0 <= leaf_index < tree_size. read: called once with all addresses needed
    (O(log n)); not at all when the proof is empty.
    Returns the sibling hashes from the leaf up, 32 bytes each.
    Raises ValueError for an index outside the tree, LookupError for a node not stored.
    Source: RFC 9162 section 2.1.3.1.
    """
    if not 0 <= leaf_index < tree_size:
        raise ValueError(f"leaf {leaf_index} is not in a tree of size {tree_size}")
    begin, end, siblings = 0, tree_size, list[Range]()
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if leaf_index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    return _read_hashes(siblings[::-1], read)


def consistency_proof(first: int, second: int, read: NodeReader) -> list[bytes]:
    """Make the proof that the tree of one size is a prefix of that of another.

    PROOF(first, D[second]), empty where first is 0 or equals second.
    first, second: 0 <= first <= second. read: called once with all addresses needed (O(log n));
    not at all when the proof is empty.
    Returns hashes of 32 bytes.
    Raises ValueError for sizes out of order, LookupError for a node not stored.
    Source: RFC 9162 section 2.1.4.1.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of size {first} is no prefix of one of size {second}")
    if first in (0, second):
        return []
    begin, end, known, ranges = 0, second, True, list[Range]()
    while end != first:
        middle = begin + _split(end - begin)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin, known = middle, False
    if not known:
        ranges.append((begin, end))
    return _read_hashes(ranges[::-1], read)


def verify_inclusion(
    leaf_index: int, tree_size: int, leaf_hash: bytes, proof: Sequence[bytes], root_hash: bytes
) -> bool:
    """Check that a leaf is in the tree with a root.

    leaf_index: 0 <= leaf_index < tree_size; leaf_hash, root_hash: 32 bytes; proof: list or tuple
    of hashes of 32 bytes, from the leaf up.
    Returns True when the proof leads from the leaf to the root; False for everything else,
    arguments of a wrong type or length included. Raises nothing.
    Source: RFC 9162 section 2.1.3.2.
    """
    if not (_are_sizes(leaf_index, tree_size) and _are_hashes(proof, leaf_hash, root_hash)):
        return False
    if leaf_index >= tree_size:
        return False
    node, last, value = leaf_index, tree_size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root_hash


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Check that the tree of one size and root is a prefix of the tree of another.

    first, second: 0 <= first <= second; roots: 32 bytes; proof: list or tuple of hashes of 32
    bytes. Equal sizes need equal roots and an empty proof (nothing is hashed then, so equal roots
    of another length pass, as in the published test vectors). The empty tree (first = 0, its root
    being SHA-256 of nothing) is a prefix of every tree, with an empty proof.
    Returns True when the proof connects both roots; False for everything else, arguments of a
    wrong type or length included. Raises nothing.
    Source: RFC 9162 section 2.1.4.2.
    """
    if not (_are_sizes(first, second) and isinstance(first_root, bytes)):
        return False
    if first == second != 0:
        return _are_hashes(proof) and not proof and first_root == second_root
    if first > second or not _are_hashes(proof, first_root, second_root):
        return False
    if first == 0:
        prefix_root = second_root if second == 0 else first_root
        return not proof and first_root == prefix_root == EMPTY_ROOT
    return _consistency_holds(first, second, first_root, second_root, list(proof))


def _consistency_holds(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: list[bytes]
) -> bool:
    """Run steps 2 to 8 of RFC 9162 section 2.1.4.2 for 0 < first < second."""
    if first & (first - 1) == 0:
        proof.insert(0, first_root)
    if not proof:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = proof[0]
    for value in proof[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(value, old), node_hash(value, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, value)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def multiproof_addresses(leaf_indexes: Iterable[int], tree_size: int) -> Iterator[Address]:
    """Name the nodes that, with the chosen leaves, determine the root.

    They are the maximal complete subtrees that hold no chosen leaf.
    leaf_indexes: strictly increasing, each in [0, tree_size); consumed as the result is.
    Yields addresses (level, index) in order of position.
    Raises ValueError for an index out of order or outside the tree.
    Source: the decomposition of a leaf range into aligned powers of two ("compact ranges").
    """
    position = 0
    for leaf_index in leaf_indexes:
        if not position <= leaf_index < tree_size:
            raise ValueError(f"leaf {leaf_index} is out of order or not below {tree_size}")
        yield from _cover(position, leaf_index)
        position = leaf_index + 1
    yield from _cover(position, tree_size)


def root_from_multiproof(
    tree_size: int,
    leaves: Iterable[tuple[int, bytes]],
    nodes: Iterable[tuple[Address, bytes]],
) -> bytes:
    """Compute the root from some leaves and the nodes that cover all others.

    tree_size: at least 0; leaves: (index, leaf hash) in order; nodes: ((level, index), hash) in
    order of position, as `multiproof_addresses` names them. Both are streamed with a stack of
    O(log n) hashes. Returns 32 bytes.
    Raises ValueError for a gap, an overlap, something left over, or a hash not of 32 bytes.
    Source: RFC 9162 section 2.1.1, evaluated from the left.
    """
    leaf_iterator, node_iterator = iter(leaves), iter(nodes)
    leaf, node = next(leaf_iterator, None), next(node_iterator, None)
    position, stack = 0, list[tuple[int, bytes]]()
    while position < tree_size:
        if leaf is not None and leaf[0] == position:
            level, value, leaf = 0, leaf[1], next(leaf_iterator, None)
        elif node is not None and _fits(node[0], position, tree_size):
            level, value, node = node[0][0], node[1], next(node_iterator, None)
        else:
            raise ValueError(f"neither a leaf nor a node continues the tree at leaf {position}")
        if len(value) != HASH_SIZE:
            raise ValueError(f"the hash at leaf {position} has {len(value)} bytes, not 32")
        position += 1 << level
        while stack and stack[-1][0] == level:
            value, level = node_hash(stack.pop()[1], value), level + 1
        stack.append((level, value))
    if leaf is not None or node is not None:
        raise ValueError(f"something is left over after leaf {tree_size - 1}: {leaf or node}")
    return _fold([value for _, value in stack]) if stack else EMPTY_ROOT


def _fits(address: Address, position: int, tree_size: int) -> bool:
    level, index = address
    if not 0 <= level < tree_size.bit_length():
        return False
    return index << level == position and position + (1 << level) <= tree_size


def _cover(begin: int, end: int) -> Iterator[Address]:
    """Cover the leaves [begin, end) with the fewest aligned complete subtrees, left to right."""
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        yield level, begin >> level
        begin += 1 << level


def _split(size: int) -> int:
    """Find the largest power of two below `size`, for size >= 2 (RFC 9162 section 2.1.1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Join the complete subtrees of a range, largest first, into the hash of the range."""
    value = hashes[-1]
    for left in hashes[-2::-1]:
        value = node_hash(left, value)
    return value


def _read_hashes(ranges: Sequence[Range], read: NodeReader) -> list[bytes]:
    """Compute the hash of each leaf range out of stored nodes that are read at once."""
    if not ranges:
        return []
    covers = [list(_cover(begin, end)) for begin, end in ranges]
    wanted = [address for cover in covers for address in cover]
    stored = read(wanted)
    missing = [address for address in wanted if address not in stored]
    if missing:
        raise LookupError(f"nodes (level, index) not stored: {missing}")
    return [_fold([stored[address] for address in cover]) for cover in covers]


def _are_sizes(*values: object) -> bool:
    return all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in values)


def _are_hashes(proof: object, *hashes: object) -> bool:
    if not isinstance(proof, (list, tuple)):
        return False
    return all(isinstance(v, bytes) and len(v) == HASH_SIZE for v in (*proof, *hashes))
