"""The sealer: no gap, no double, no fork, whoever else seals and whenever it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, connections

from apps.audit import delivery, keys, ledger, sealing, verification
from apps.audit.domain.checkpoint import open_note, parse_checkpoint
from apps.audit.domain.merkle import Frontier, root_at, verify_consistency, verify_inclusion
from apps.audit.models import Checkpoint, Leaf, LedgerKey, Node, PendingRecord, WitnessReceipt
from apps.audit.witnesses import WitnessDown, Witnessed, WitnessRefused
from apps.audit.witnesses.file import FileWitness
from apps.common.errors import Conflict, KeyFileError, LedgerBroken
from apps.registry.services import ai_system_register, use_case_create
from tests.services.ledgers import (
    ANN,
    findings,
    kinds,
    seal_and_deliver,
    small_ledger,
    triggers_off,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def database(committed_db: Any) -> None:
    """Every test here commits."""


def register(count: int, prefix: str = "system") -> None:
    for number in range(count):
        ai_system_register(actor=ANN, name=f"{prefix}-{number}")


def assert_sound() -> None:
    """Every leaf is there once, in a row, under the last checkpoint; nothing waits."""
    indexes = list(Leaf.objects.order_by("index").values_list("index", flat=True))
    assert indexes == list(range(len(indexes)))
    assert PendingRecord.objects.count() == 0
    assert findings() == []


def test_records_of_one_object_are_sealed_in_the_order_of_change() -> None:
    small_ledger()
    rows = Leaf.objects.filter(record_type="ai_system").order_by("index")
    assert list(rows.values_list("record_id", flat=True)) == sorted(
        rows.values_list("record_id", flat=True)
    )
    assert_sound()


def test_small_batches_give_the_same_tree_as_one() -> None:
    register(10)
    while sealing.seal_batch(3):
        pass
    size = Leaf.objects.count()
    hashes = [bytes(h) for h in Leaf.objects.order_by("index").values_list("leaf_hash", flat=True)]
    whole = Frontier()
    whole.extend(hashes)
    assert ledger.head().root_hash == whole.root()
    assert Checkpoint.objects.count() == -(-size // 3)
    # 3 is the lowest level that is stored: a node for every 8 leaves, for every 16, and so on.
    assert Node.objects.count() == sum(size >> level for level in range(3, size.bit_length()))


def test_nodes_stored_or_computed_from_leaves_are_those_of_the_whole_tree() -> None:
    register(20)
    sealing.seal_all()
    hashes = [bytes(h) for h in Leaf.objects.order_by("index").values_list("leaf_hash", flat=True)]
    expected = {(0, index): digest for index, digest in enumerate(hashes)}
    for level, index, digest in Frontier().extend(hashes):
        expected[level, index] = digest
    assert ledger.read_nodes(list(expected)) == expected
    beyond = [(level, len(hashes) >> level) for level in range(5)]
    assert ledger.read_nodes(beyond) == {}


def test_a_proof_costs_two_queries_whatever_the_size(
    django_assert_num_queries: Callable[..., Any],
) -> None:
    for number in (5, 40):
        register(number, f"of-{number}")
        sealing.seal_all()
        with django_assert_num_queries(2):
            ledger.prove_inclusion(3)


def test_records_of_several_types_by_turns_are_sealed_as_they_come() -> None:
    """Their ids leave gaps within a type, so that no run of ids is a run of leaves."""
    sealing.seal_all()
    for number in range(5):
        ai_system_register(actor=ANN, name=f"turn-{number}")
        use_case_create(actor=ANN, reason="turn", slug=f"turn-{number}", labels=["yes", "no"])
    order = list(PendingRecord.objects.order_by("id").values_list("record_type", "record_id"))
    first = Leaf.objects.count()
    sealing.seal_all()
    leaves = Leaf.objects.filter(index__gte=first).order_by("index")
    assert list(leaves.values_list("record_type", "record_id")) == order
    assert_sound()


def test_with_nothing_pending_nothing_is_signed() -> None:
    register(1)
    sealing.seal_all()
    before = Checkpoint.objects.count()
    assert sealing.seal_all() == 0
    assert Checkpoint.objects.count() == before


def test_every_leaf_has_an_inclusion_proof_and_every_checkpoint_a_consistency_proof() -> None:
    small_ledger()
    head = ledger.head()
    for leaf in Leaf.objects.all():
        digest, proof, top = ledger.prove_inclusion(leaf.index)
        assert verify_inclusion(leaf.index, top.tree_size, digest, proof, top.root_hash)
    for checkpoint in Checkpoint.objects.all():
        proof = ledger.prove_consistency(checkpoint.tree_size, head.tree_size)
        old = bytes(checkpoint.root_hash)
        assert verify_consistency(checkpoint.tree_size, head.tree_size, old, head.root_hash, proof)


def test_several_sealers_at_once_make_no_gap_no_double_and_no_fork() -> None:
    register(60)
    failures: list[Exception] = []

    def seal() -> None:
        try:
            while sealing.seal_batch(7):
                pass
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connections.close_all()

    sealers = [threading.Thread(target=seal) for _ in range(4)]
    for thread in sealers:
        thread.start()
    register(10, "meanwhile")
    for thread in sealers:
        thread.join()
    assert failures == []
    sealing.seal_all()
    assert_sound()


def test_a_late_commit_is_sealed_after_the_ones_that_overtook_it() -> None:
    """PostgreSQL shows no commit order: an id below those sealed may become visible later."""
    if connection.vendor == "sqlite":
        return  # one writer at a time: nothing overtakes
    ready, go = threading.Event(), threading.Event()

    def slow_writer() -> None:
        from django.db import transaction

        with transaction.atomic():
            ai_system_register(actor=ANN, name="slow")
            ready.set()
            go.wait(20)
        connections.close_all()

    thread = threading.Thread(target=slow_writer)
    thread.start()
    assert ready.wait(20)
    register(5, "fast")
    sealing.seal_all()
    assert not Leaf.objects.filter(data__contains='"slow"').exists()
    go.set()
    thread.join()
    sealing.seal_all()
    assert Leaf.objects.filter(data__contains='"slow"').count() == 1
    assert_sound()


STEPS = ["lock_ledger", "take_pending", "insert_leaves", "insert_nodes", "_sign"]

DRIVER = """
import os, signal, sys
import django
django.setup()
from django.db import connection
from apps.audit import databases, sealing
step = sys.argv[1]
place = sealing if step == "_sign" else databases.of(connection)
real = getattr(place, step)
def then_die(*args):
    real(*args)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(place, step, then_die)
sealing.seal_batch()
"""


def environment() -> dict[str, str]:
    """A process of its own on this test's database, key and witness."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        url = f"postgresql://{database['USER']}@{database['HOST']}:{database['PORT'] or 5432}/{database['NAME']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "hitl_platform.settings",
        "DATABASE_URL": url,
        "DATA_DIR": str(settings.WITNESS_DIR.parent / "data"),
        "LEDGER_KEY_FILE": str(settings.LEDGER_KEY_FILE),
        "LEDGER_ORIGIN": settings.LEDGER_ORIGIN,
        "WITNESS_DIR": str(settings.WITNESS_DIR),
        "PYTHONPATH": str(ROOT),
    }


@pytest.mark.parametrize("step", STEPS)
def test_a_sealer_killed_after_any_step_leaves_a_sound_trail(step: str) -> None:
    small_ledger()
    register(5)
    before = (Leaf.objects.count(), PendingRecord.objects.count())
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, step],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert (Leaf.objects.count(), PendingRecord.objects.count()) == before
    seal_and_deliver()
    assert_sound()


def test_a_failed_seal_takes_nothing_off_the_pending_list(monkeypatch: Any) -> None:
    register(3)
    waiting = PendingRecord.objects.count()

    def no_key(*args: Any) -> None:
        raise OSError("the key's disk is gone")

    monkeypatch.setattr(sealing, "_sign", no_key)
    with pytest.raises(OSError, match="disk is gone"):
        sealing.seal_all()
    assert (PendingRecord.objects.count(), Leaf.objects.count(), Node.objects.count()) == (
        waiting,
        0,
        0,
    )


def test_the_sealer_does_not_build_on_a_tree_that_does_not_hold(owner: Any) -> None:
    small_ledger()
    with triggers_off(owner):
        owner.execute("DELETE FROM audit_node")
    register(1)
    with pytest.raises(LedgerBroken, match="right edge"):
        sealing.seal_all()


def test_a_pending_record_without_a_row_stops_the_sealer(owner: Any) -> None:
    register(1)
    with triggers_off(owner):
        owner.execute("DELETE FROM registry_historicalaisystem")
    with pytest.raises(LedgerBroken, match="ai_system"):
        sealing.seal_all()


# --- keys ------------------------------------------------------------------------------------


def test_a_rotated_key_signs_and_the_old_checkpoints_still_verify(settings: Any) -> None:
    small_ledger()
    old = keys.known_keys()[-1]
    new = keys.rotate_key()
    register(1)
    seal_and_deliver()
    assert keys.known_keys() == [old, new]
    opened = open_note(ledger.head().note, keys.known_keys())
    assert opened.verified_by == (new,)
    assert_sound()
    retired = list(settings.LEDGER_RETIRED_KEYS_DIR.iterdir())
    assert keys.public_key_bytes(keys.read_key_file(retired[0])) == old.public_key


def test_a_key_that_nobody_endorsed_does_not_seal(settings: Any, tmp_path: Path) -> None:
    small_ledger()
    settings.LEDGER_KEY_FILE = tmp_path / "stranger.key"
    register(1)
    with pytest.raises(LedgerBroken, match="rotate_ledger_key"):
        sealing.seal_all()
    assert LedgerKey.objects.count() == 1


def test_a_retired_key_does_not_seal_again(settings: Any) -> None:
    small_ledger()
    keys.rotate_key()
    settings.LEDGER_KEY_FILE = next(settings.LEDGER_RETIRED_KEYS_DIR.iterdir())
    register(1)
    with pytest.raises(LedgerBroken, match="retired"):
        sealing.seal_all()


def test_a_key_file_is_private_and_never_overwritten(settings: Any) -> None:
    keys.signing_key()
    assert settings.LEDGER_KEY_FILE.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict, match="never overwritten"):
        keys.write_key_file(settings.LEDGER_KEY_FILE)


def test_without_its_key_file_production_does_not_seal(settings: Any) -> None:
    settings.PRODUCTION = True
    register(1)
    with pytest.raises(KeyFileError, match=r"ledger\.key"):
        sealing.seal_all()
    assert Leaf.objects.count() == 0


# --- witnesses -------------------------------------------------------------------------------


def test_each_checkpoint_reaches_the_witness_once_and_in_order() -> None:
    small_ledger()
    delivery.deliver_all()
    sizes = [held.tree_size for held in FileWitness().all()]
    assert sizes == list(
        Checkpoint.objects.order_by("tree_size").values_list("tree_size", flat=True)
    )
    assert delivery.undelivered("file") == 0


def test_a_witness_that_was_down_gets_everything_later_in_order(
    settings: Any, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder")
    settings.WITNESS_DIR = blocked / "witness"
    for name in ("a", "b", "c"):
        ai_system_register(actor=ANN, name=name)
        seal_and_deliver()
    assert (WitnessReceipt.objects.count(), delivery.undelivered("file")) == (0, 3)
    assert kinds(findings()) == {"witness_down"}
    blocked.unlink()
    assert delivery.deliver_all() == {"file": 3}
    assert_sound()


def test_a_line_cut_short_by_a_crash_is_delivered_again(settings: Any) -> None:
    small_ledger()
    path = FileWitness().path
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert len(FileWitness().all()) == 2
    last = Checkpoint.objects.order_by("-tree_size").first()
    held = FileWitness().latest()
    proof = ledger.prove_consistency(held.tree_size, last.tree_size)
    FileWitness().accept(Witnessed(last.tree_size, bytes(last.root_hash), last.note), proof)
    assert path.read_bytes() == whole


def test_a_checkpoint_delivered_twice_is_kept_once() -> None:
    small_ledger()
    held = FileWitness().latest()
    FileWitness().accept(held, [])
    assert len(FileWitness().all()) == 3


def test_a_witness_refuses_a_checkpoint_that_does_not_extend_its_last() -> None:
    small_ledger()
    held = FileWitness().latest()
    forged = Witnessed(held.tree_size + 1, b"\0" * 32, held.note)
    with pytest.raises(WitnessRefused, match="does not extend"):
        FileWitness().accept(forged, [])


def test_a_witness_file_with_a_foreign_line_is_refused() -> None:
    small_ledger()
    with FileWitness().path.open("a") as file:
        file.write('"nonsense"\n')
    with pytest.raises(WitnessRefused, match="no checkpoint"):
        FileWitness().latest()
    assert kinds(findings()) == {"witness"}


def test_a_witness_that_cannot_be_read_says_so(settings: Any) -> None:
    small_ledger()
    path = FileWitness().path
    path.unlink()
    path.mkdir()
    with pytest.raises(WitnessDown):
        FileWitness().latest()


def test_the_stored_tree_gives_every_earlier_root() -> None:
    small_ledger()
    for held in FileWitness().all():
        assert root_at(held.tree_size, ledger.read_nodes) == held.root_hash
        text = open_note(held.note, keys.known_keys()).text
        assert parse_checkpoint(text).size == held.tree_size


def test_a_verification_is_kept_for_the_status_page() -> None:
    small_ledger()
    run = verification.verify(full=True)
    assert (run.ok, run.records, run.tree_size) == (
        True,
        Leaf.objects.count(),
        Leaf.objects.count(),
    )
    assert run.root == ledger.head().root_hash.hex()


def test_a_leaf_is_entered_once_even_by_raw_sql(owner: Any) -> None:
    small_ledger()
    with pytest.raises((DatabaseError, Exception), match=r"exists|unique|duplicate"):
        owner.execute(
            'INSERT INTO audit_leaf ("index", record_type, record_id, "schema", at, actor_id, data, leaf_hash) '
            'SELECT 99999, record_type, record_id, "schema", at, actor_id, data, leaf_hash FROM audit_leaf LIMIT 1'
        )
