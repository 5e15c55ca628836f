"""Verification: everything recomputed from the stored rows, and every contradiction named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.audit import databases, delivery, keys, ledger, triggers
from apps.audit.comparison import LeafComparison, StoredLeaf
from apps.audit.domain import checkpoint as notes
from apps.audit.domain.merkle import (
    Frontier,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_inclusion,
)
from apps.audit.findings import Findings
from apps.audit.models import Checkpoint, Leaf, Node, RecordSchema, VerificationRun
from apps.audit.reconciliation import find_live_differences, find_unsealed
from apps.audit.record_schemas import schema_book
from apps.audit.witnesses import Witness, WitnessDown, WitnessRefused

CHUNK = 10_000
SAMPLE = 1_000
HashedLeaf = tuple[int, bytes, bytes]  # index, data, stored hash


def verify(*, full: bool, sample: int = SAMPLE) -> VerificationRun:
    """Verify the trail and keep the result. ``full`` reads every record, else a random sample."""
    started, findings = timezone.now(), Findings()
    _verify_triggers(findings)
    _verify_schemas(findings)
    head = ledger.head()
    checkpoints = _verified_checkpoints(findings)
    if full:
        records, root = _verify_tree(findings, checkpoints)
        find_unsealed(findings)
    else:
        records, root = _verify_sample(findings, sample), head.root_hash if head else b""
    find_live_differences(findings)
    _verify_witnesses(findings)
    size = head.tree_size if head else 0
    return _keep(started, full, records, size, root, findings)


def _keep(
    started: datetime, full: bool, records: int, size: int, root: bytes, findings: Findings
) -> VerificationRun:
    run = VerificationRun(
        started_at=started,
        finished_at=timezone.now(),
        full=full,
        ok=not findings.count,
        records=records,
        tree_size=size,
        root=root.hex(),
        findings=[finding._asdict() for finding in findings.items],
    )
    run.save()
    return run


def _verify_triggers(findings: Findings) -> None:
    for table, fault in triggers.faults(connection):
        findings.add(table, "", "trigger", fault)


def _verify_schemas(findings: Findings) -> None:
    for row in RecordSchema.objects.all():
        schema = schema_book().get(row.described_type, row.number)
        if schema is None or schema.definition != row.definition:
            detail = (
                f"the code's schema {row.described_type}/{row.number} is not the one that was used"
            )
            findings.add("audit_recordschema", row.pk, "schema", detail)


def _verified_checkpoints(findings: Findings) -> dict[int, bytes]:
    """Tree size -> root of every checkpoint; each signature, body and the chain of keys checked."""
    known = keys.known_keys()
    for fault in keys.endorsement_faults():
        findings.add("audit_ledgerkey", "", "key", fault)
    roots: dict[int, bytes] = {}
    for row in Checkpoint.objects.order_by("tree_size").iterator(chunk_size=2000):
        roots[row.tree_size] = bytes(row.root_hash)
        try:
            stated = notes.parse_checkpoint(notes.open_note(row.note, known).text)
        except ValueError as error:
            findings.add(
                "audit_checkpoint", row.pk, "signature", f"checkpoint {row.tree_size}: {error}"
            )
            continue
        if (stated.size, stated.root) != (row.tree_size, bytes(row.root_hash)):
            detail = f"checkpoint {row.tree_size}: the row differs from its signed note"
            findings.add("audit_checkpoint", row.pk, "checkpoint", detail)
    return roots


def _verify_tree(findings: Findings, checkpoints: dict[int, bytes]) -> tuple[int, bytes]:
    """Leaves from rows, nodes from leaves, roots from nodes: one pass in leaf order."""
    frontier, records = Frontier(), 0
    sizes = iter(sorted(checkpoints))
    due = next(sizes, None)
    with connection.cursor() as cursor:
        comparison = LeafComparison(cursor, findings)
        for chunk in _leaf_chunks(cursor):
            _check_indexes(findings, chunk, frontier.size)
            comparison.compare_run(chunk[0][0], chunk[-1][0])
            hashes = _check_leaf_hashes(findings, chunk)
            records += len(chunk)
            while hashes:
                step = len(hashes) if due is None else min(len(hashes), due - frontier.size)
                _check_nodes(cursor, findings, frontier.extend(hashes[:step]))
                hashes = hashes[step:]
                if frontier.size == due:
                    _check_root(findings, due, checkpoints[due], frontier.root())
                    due = next(sizes, None)
    if due is not None:
        detail = f"checkpoint {due} covers more than the {frontier.size} leaves that are here"
        findings.add("audit_checkpoint", due, "missing_leaves", detail)
    elif frontier.size > max(checkpoints, default=0):
        detail = (
            f"{frontier.size} leaves, but the last checkpoint covers {max(checkpoints, default=0)}"
        )
        findings.add("audit_leaf", frontier.size - 1, "uncovered_leaves", detail)
    _check_node_count(findings, frontier.size)
    return records, frontier.root()


def _leaf_chunks(cursor: Any) -> Iterator[list[HashedLeaf]]:
    """All leaves in order. Past the ORM, which would take as long as the checks."""
    position, read = -1, databases.of(connection).hashed_leaves
    while chunk := read(cursor, position, CHUNK):
        yield chunk
        position = chunk[-1][0]


def _check_indexes(findings: Findings, chunk: list[HashedLeaf], first: int) -> None:
    if chunk[0][0] == first and chunk[-1][0] == first + len(chunk) - 1:
        return
    for expected, (index, _data, _digest) in enumerate(chunk, first):
        if index != expected:
            detail = f"leaf {expected} is missing; the next one is {index}"
            findings.add("audit_leaf", expected, "gap", detail)
            return


def _check_leaf_hashes(findings: Findings, chunk: list[HashedLeaf]) -> list[bytes]:
    hashes = [leaf_hash(data) for _index, data, _digest in chunk]
    if hashes != [digest for _index, _data, digest in chunk]:
        for (index, _data, stored), digest in zip(chunk, hashes, strict=True):
            if stored != digest:
                detail = f"leaf {index}: the stored hash is not that of its data"
                findings.add("audit_leaf", index, "leaf_hash", detail)
    return hashes


def _check_nodes(cursor: Any, findings: Findings, nodes: list[tuple[int, int, bytes]]) -> None:
    """``nodes`` come level by level, each level a run of indexes: one range query a level."""
    for level, run in groupby(nodes, key=itemgetter(0)):
        if level < ledger.LOWEST_STORED:
            continue
        base = level << ledger.LEVEL_SHIFT
        expected = [(base + index, digest) for _level, index, digest in run]
        cursor.execute(
            "SELECT position, hash FROM audit_node WHERE position BETWEEN %s AND %s ORDER BY position",
            [expected[0][0], expected[-1][0]],
        )
        stored = cursor.fetchall()
        if stored != expected:
            _name_nodes(findings, base, expected, {row[0]: bytes(row[1]) for row in stored})


def _name_nodes(
    findings: Findings, base: int, expected: list[tuple[int, bytes]], stored: dict[int, bytes]
) -> None:
    for position, digest in expected:
        found = stored.get(position)
        if found != digest:
            name = f"{base >> ledger.LEVEL_SHIFT}/{position - base}"
            state = "is missing" if found is None else "is not the hash of what is below it"
            findings.add("audit_node", name, "node", f"node {name} {state}")


def _check_node_count(findings: Findings, size: int) -> None:
    """A tree of n leaves has floor(n / 2**level) complete nodes at a level; more are forgeries."""
    expected = sum(size >> level for level in range(ledger.LOWEST_STORED, size.bit_length()))
    found = Node.objects.count()
    if found > expected:
        detail = f"{found} nodes are stored where {size} leaves have {expected}"
        findings.add("audit_node", "", "node", detail)


def _check_root(findings: Findings, size: int, stated: bytes, computed: bytes) -> None:
    if stated != computed:
        detail = f"checkpoint {size} states root {stated.hex()[:16]}…, its leaves give {computed.hex()[:16]}…"
        findings.add("audit_checkpoint", size, "root", detail)


def _verify_sample(findings: Findings, sample: int) -> int:
    """A random sample of leaves: against their rows, and by inclusion proof to the newest head."""
    head = ledger.head()
    if head is None:
        return 0
    chosen = random.SystemRandom().sample(range(head.tree_size), min(sample, head.tree_size))
    with connection.cursor() as cursor:
        comparison = LeafComparison(cursor, findings)
        for start in range(0, len(chosen), ledger.READ_CHUNK):
            part = chosen[start : start + ledger.READ_CHUNK]
            leaves = list(Leaf.objects.filter(index__in=part))
            for index in set(part) - {leaf.index for leaf in leaves}:
                findings.add("audit_leaf", index, "gap", f"leaf {index} is missing")
            comparison.compare([StoredLeaf.of(leaf) for leaf in leaves])
            hashed = [(leaf.index, leaf.data.encode(), bytes(leaf.leaf_hash)) for leaf in leaves]
            hashes = _check_leaf_hashes(findings, hashed)
            for (index, _data, _digest), digest in zip(hashed, hashes, strict=True):
                _check_inclusion(findings, index, digest, head)
    return len(chosen)


def _check_inclusion(findings: Findings, index: int, digest: bytes, head: ledger.Head) -> None:
    try:
        proof = inclusion_proof(index, head.tree_size, ledger.read_nodes)
    except LookupError as error:
        findings.add(
            "audit_node", str(error), "node", f"no proof for leaf {index}: {error} is missing"
        )
        return
    if not verify_inclusion(index, head.tree_size, digest, proof, head.root_hash):
        detail = f"leaf {index} is not under the root of checkpoint {head.tree_size}"
        findings.add("audit_leaf", index, "inclusion", detail)


def _verify_witnesses(findings: Findings) -> None:
    for witness in delivery.witnesses():
        try:
            _verify_witness(findings, witness)
        except WitnessDown as error:
            findings.add(f"witness:{witness.name}", "", "witness_down", str(error))
        except WitnessRefused as error:
            findings.add(f"witness:{witness.name}", "", "witness", str(error))


def _verify_witness(findings: Findings, witness: Witness) -> None:
    """Everything a witness holds must be what the tree gives at that size, signed by a known key."""
    table, known = f"witness:{witness.name}", keys.known_keys()
    head = ledger.head()
    size = head.tree_size if head else 0
    everything = witness.all()
    held_to = max((held.tree_size for held in everything), default=0)
    given_to = delivery.delivered_to(witness.name)
    if held_to < given_to:
        detail = f"the witness was given checkpoint {given_to}, but holds only up to {held_to}"
        findings.add(table, held_to, "witness_lost", detail)
    for held in everything:
        if held.tree_size > size:
            detail = f"the witness holds {held.tree_size}, the database ends at {size}: rolled back"
            findings.add(table, held.tree_size, "rollback", detail)
            continue
        try:
            agrees = root_at(held.tree_size, ledger.read_nodes) == held.root_hash
        except LookupError:
            agrees = False
        if not agrees:
            detail = (
                f"the witness holds another root for {held.tree_size} leaves: history was rewritten"
            )
            findings.add(table, held.tree_size, "fork", detail)
        try:
            notes.open_note(held.note, known)
        except ValueError:
            detail = f"checkpoint {held.tree_size} of the witness was signed by a key unknown here"
            findings.add(table, held.tree_size, "unknown_key", detail)


def result_document(run: VerificationRun) -> dict[str, Any]:
    """The form in which ``verify_audit --json`` and the API give a result."""
    return {
        "ok": run.ok,
        "records": run.records,
        "tree_size": run.tree_size,
        "root": run.root,
        "findings": run.findings,
        "full": run.full,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat(),
    }
