"""The fast tree agrees with the slow one of RFC 6962, and its proofs hold for nothing else."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.domain.merkle import (
    EMPTY_ROOT,
    Frontier,
    complete_root,
    consistency_proof,
    frontier_addresses,
    inclusion_proof,
    leaf_hash,
    multiproof_addresses,
    root_at,
    root_from_multiproof,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.merkle_reference import MemoryLog, mth, path, proof

LEAVES = [b"leaf %d" % i for i in range(70)]
sizes = st.integers(1, 70)


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def log_of(size: int) -> MemoryLog:
    return MemoryLog(LEAVES[:size])


@given(st.lists(st.integers(0, 40), max_size=4))
def test_batches_of_any_size_grow_the_tree_of_the_rfc(batches: list[int]) -> None:
    frontier, stored, size = Frontier(), {}, 0
    for batch in batches:
        leaves = [b"%d" % i for i in range(size, size + batch)]
        for level, index, value in frontier.extend([leaf_hash(leaf) for leaf in leaves]):
            assert (level, index) not in stored
            stored[level, index] = value
        size += batch
        assert frontier.size == size
        assert frontier.root() == mth([b"%d" % i for i in range(size)])
    # Every complete subtree of two leaves or more, and nothing else.
    assert stored == {
        (level, index): mth([b"%d" % i for i in range(index << level, (index + 1) << level)])
        for level in range(1, size.bit_length() + 1)
        for index in range(size >> level)
    }


@pytest.mark.parametrize("leaves", [1, 2, 4, 8, 64])
def test_a_complete_subtree_computed_from_its_leaves_is_that_of_the_rfc(leaves: int) -> None:
    assert complete_root(list(map(leaf_hash, LEAVES[:leaves]))) == mth(LEAVES[:leaves])


@pytest.mark.parametrize("leaves", [0, 3, 6, 7])
def test_a_subtree_that_is_not_complete_is_refused(leaves: int) -> None:
    with pytest.raises(ValueError, match=f"not {leaves}"):
        complete_root(list(map(leaf_hash, LEAVES[:leaves])))


@given(sizes)
def test_a_frontier_restored_from_stored_nodes_goes_on_as_before(size: int) -> None:
    log = log_of(size)
    hashes = [log.nodes[address] for address in frontier_addresses(size)]
    restored = Frontier(size, hashes)
    assert restored.hashes == hashes
    assert restored.root() == mth(LEAVES[:size])
    restored.extend([leaf_hash(b"one more")])
    assert restored.root() == mth([*LEAVES[:size], b"one more"])


def test_the_frontier_of_eleven_leaves_is_eight_two_and_one() -> None:
    # 11 = 8 + 2 + 1: leaves 0-7, 8-9 and 10.
    assert frontier_addresses(11) == [(3, 0), (1, 4), (0, 10)]


def test_a_frontier_refuses_hashes_that_do_not_fit_its_size() -> None:
    with pytest.raises(ValueError, match="size 3 has 2 hashes"):
        Frontier(3, [bytes(32)])
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier(1, [bytes(31)])
    with pytest.raises(ValueError, match="-1 leaves"):
        Frontier(-1)


def test_a_leaf_hash_of_a_wrong_length_appends_nothing() -> None:
    frontier = Frontier()
    with pytest.raises(ValueError, match="32 bytes"):
        frontier.extend([bytes(32), bytes(20)])
    assert (frontier.size, frontier.root()) == (0, EMPTY_ROOT)


@given(sizes, st.data())
def test_an_inclusion_proof_is_the_rfcs_path_from_one_small_read(
    size: int, data: st.DataObject
) -> None:
    log, index = log_of(size), data.draw(st.integers(0, size - 1))
    made = inclusion_proof(index, size, log.read)
    assert made == path(index, LEAVES[:size])
    assert verify_inclusion(index, size, leaf_hash(LEAVES[index]), made, mth(LEAVES[:size]))
    assert len(log.reads) == (1 if size > 1 else 0)
    # At most one node a level beside the path, and one a level for the ragged right edge.
    assert sum(map(len, log.reads)) <= 2 * size.bit_length()


@given(sizes, st.data())
def test_a_consistency_proof_is_the_rfcs_from_one_small_read(
    size: int, data: st.DataObject
) -> None:
    log, first = log_of(size), data.draw(st.integers(1, size))
    made = consistency_proof(first, size, log.read)
    assert made == proof(first, LEAVES[:size])
    old, new = mth(LEAVES[:first]), mth(LEAVES[:size])
    assert verify_consistency(first, size, old, new, made)
    assert len(log.reads) == (1 if first < size else 0)
    assert sum(map(len, log.reads)) <= 2 * size.bit_length()


@given(st.integers(0, 70))
def test_the_root_at_any_size_is_computed_from_stored_nodes(size: int) -> None:
    log = log_of(70)
    assert root_at(size, log.read) == mth(LEAVES[:size])
    assert len(log.reads) == (1 if size else 0)


@given(sizes, st.data())
def test_one_changed_bit_breaks_an_inclusion_proof(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    made, root = path(index, LEAVES[:size]), mth(LEAVES[:size])
    parts = [leaf_hash(LEAVES[index]), root, *made]
    which, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[which] = flipped(parts[which], bit)
    assert not verify_inclusion(index, size, parts[0], parts[2:], parts[1])


@given(st.integers(2, 70), st.data())
def test_one_changed_bit_breaks_a_consistency_proof(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, size - 1))
    parts = [mth(LEAVES[:first]), mth(LEAVES[:size]), *proof(first, LEAVES[:size])]
    which, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[which] = flipped(parts[which], bit)
    assert not verify_consistency(first, size, parts[0], parts[1], parts[2:])


@given(st.integers(2, 40), st.data())
def test_a_proof_holds_for_its_own_index_and_length_only(size: int, data: st.DataObject) -> None:
    index, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2))
    made, root, leaf = path(index, LEAVES[:size]), mth(LEAVES[:size]), leaf_hash(LEAVES[index])
    assert verify_inclusion(other, size, leaf, made, root) == (other == index)
    assert not verify_inclusion(index, size, leaf, [*made, root], root)
    assert not verify_inclusion(index, size, leaf, made[:-1], root)


@pytest.mark.parametrize(
    "arguments",
    [
        (-1, 2, bytes(32), [], bytes(32)),
        (2, 2, bytes(32), [], bytes(32)),
        (0, 0, bytes(32), [], bytes(32)),
        (True, 2, bytes(32), [], bytes(32)),
        (0.0, 1, bytes(32), [], bytes(32)),
        (0, 1, "0" * 32, [], "0" * 32),
        (0, 1, bytes(31), [], bytes(31)),
        (0, 1, bytes(32), None, bytes(32)),
        (0, 2, bytes(32), [None], bytes(32)),
        (0, 2, bytes(32), [bytes(33)], bytes(32)),
        (0, 2, bytes(32), b"", bytes(32)),
        (None, None, None, None, None),
    ],
)
def test_malformed_arguments_of_inclusion_are_false(arguments: Sequence[object]) -> None:
    assert verify_inclusion(*arguments) is False  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        (2, 1, bytes(32), bytes(32), []),
        (-1, -1, bytes(32), bytes(32), []),
        (1, 1, bytes(32), bytes(32), [bytes(32)]),
        (1, 1, bytes(32), b"\x01" * 32, []),
        (1, 1, bytes(32), bytes(32), None),
        (1, 2, bytes(32), bytes(32), []),
        (1, 2, bytes(32), bytes(31), [bytes(32)]),
        (1, 2, bytes(32), bytes(32), [bytes(31)]),
        (1, 2, bytes(32), bytes(32), ["x" * 32]),
        (0, 2, EMPTY_ROOT, bytes(32), [bytes(32)]),
        (0, 2, bytes(32), bytes(32), []),
        (0, 0, EMPTY_ROOT, bytes(32), []),
        (None, None, None, None, None),
    ],
)
def test_malformed_arguments_of_consistency_are_false(arguments: Sequence[object]) -> None:
    assert verify_consistency(*arguments) is False  # type: ignore[arg-type]


def test_the_empty_tree_is_a_prefix_of_every_tree() -> None:
    assert verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    assert verify_consistency(0, 7, EMPTY_ROOT, mth(LEAVES[:7]), [])
    assert consistency_proof(0, 7, log_of(7).read) == []


def test_a_node_that_is_not_stored_is_named() -> None:
    log = log_of(8)
    del log.nodes[2, 1]
    with pytest.raises(LookupError, match=r"\(2, 1\)"):
        inclusion_proof(0, 8, log.read)


def test_proofs_outside_the_tree_are_refused() -> None:
    with pytest.raises(ValueError, match="leaf 8"):
        inclusion_proof(8, 8, log_of(8).read)
    with pytest.raises(ValueError, match="no prefix"):
        consistency_proof(9, 8, log_of(8).read)
    with pytest.raises(ValueError, match="-1 leaves"):
        root_at(-1, log_of(8).read)


def test_the_multiproof_of_two_leaves_of_eight() -> None:
    # Beside leaves 2 and 5 remain 0-1, 3, 4 and 6-7.
    assert list(multiproof_addresses([2, 5], 8)) == [(1, 0), (0, 3), (0, 4), (1, 3)]


@given(st.integers(0, 70), st.data())
def test_a_multiproof_of_any_leaves_leads_to_the_root(size: int, data: st.DataObject) -> None:
    log = log_of(size)
    chosen = sorted(data.draw(st.sets(st.integers(0, max(size - 1, 0)), max_size=size)))
    addresses = list(multiproof_addresses(chosen, size))
    leaves = [(i, leaf_hash(LEAVES[i])) for i in chosen]
    nodes = [(address, log.nodes[address]) for address in addresses]
    assert root_from_multiproof(size, leaves, nodes) == mth(LEAVES[:size])
    # Complete, apart from one another and maximal: no two of them are the halves of a third.
    halves = {(level, index ^ 1) for level, index in addresses}
    assert not halves & set(addresses)


@given(st.integers(1, 40), st.data())
def test_a_changed_multiproof_leads_elsewhere_or_is_refused(size: int, data: st.DataObject) -> None:
    log = log_of(size)
    chosen = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    leaves = [(i, leaf_hash(LEAVES[i])) for i in chosen]
    nodes = [(address, log.nodes[address]) for address in multiproof_addresses(chosen, size)]
    kind = data.draw(st.sampled_from(["flip", "drop", "repeat", "move"]))
    which = data.draw(st.integers(0, len(leaves) - 1))
    index, value = leaves[which]
    if kind == "flip":
        leaves[which] = (index, flipped(value, data.draw(st.integers(0, 255))))
        assert root_from_multiproof(size, leaves, nodes) != mth(LEAVES[:size])
        return
    replacement = {"drop": [], "repeat": [(index, value)] * 2, "move": [(index + 1, value)]}
    leaves[which : which + 1] = replacement[kind]
    with pytest.raises(ValueError, match=r"continues the tree|left over"):
        root_from_multiproof(size, leaves, nodes)


@pytest.mark.parametrize("address", [(1, 0), (0, 1), (64, 0), (-1, 0), (2, 0)])
def test_a_multiproof_node_that_does_not_fit_is_refused(address: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"continues the tree|left over"):
        root_from_multiproof(2, [(0, bytes(32))], [(address, bytes(32))] * 2)


def test_a_multiproof_hash_of_a_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="20 bytes"):
        root_from_multiproof(1, [(0, bytes(20))], [])


@pytest.mark.parametrize("indexes", [[1, 1], [2, 1], [8], [-1]])
def test_multiproof_leaves_out_of_order_are_refused(indexes: list[int]) -> None:
    with pytest.raises(ValueError, match="out of order"):
        list(multiproof_addresses(indexes, 8))
