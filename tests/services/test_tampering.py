"""Somebody with every right on the database changes something, and puts the triggers back.

Verification finds each, and names the table and the record.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections

from apps.audit import keys, ledger, sealing, triggers, verification
from apps.audit.domain import checkpoint as notes
from apps.audit.domain.merkle import Frontier, leaf_hash
from apps.audit.models import Checkpoint, Leaf, LedgerKey, Node
from apps.registry.models import AISystem
from apps.registry.services import ai_system_register
from tests import databases
from tests.services.ledgers import (
    ANN,
    findings,
    kinds,
    seal_and_deliver,
    small_ledger,
    triggers_off,
)

HISTORY = "registry_historicalaisystem"
FORGED = 900_000_000  # beyond what other tests have drawn from the sequence


def mark() -> str:
    """A parameter's mark in the owner's own driver."""
    return "%s" if connection.vendor == "postgresql" else "?"


@pytest.fixture(autouse=True)
def sealed(committed_db: Any) -> None:
    small_ledger()


def test_an_untouched_ledger_is_sound_in_full_and_by_sample() -> None:
    assert findings(full=True) == []
    assert findings(full=False) == []


@pytest.mark.parametrize("full", [True, False])
def test_a_changed_value_in_a_history_row_is_found(owner: Any, full: bool) -> None:
    row = AISystem.history.filter(name="beta").earliest()
    with triggers_off(owner):
        owner.execute(
            f"UPDATE {HISTORY} SET provider = 'forged' WHERE history_id = {row.history_id}"
        )
    (finding,) = findings(full=full)
    assert finding["kind"] == "changed_value"
    assert (finding["table"], finding["record"]) == (HISTORY, str(row.history_id))
    assert "provider" in finding["detail"]


def test_a_changed_author_is_found(owner: Any) -> None:
    with triggers_off(owner):
        owner.execute(f"UPDATE {HISTORY} SET history_user_name = 'ben' WHERE name = 'beta'")
    assert {f["detail"].rpartition(": ")[2] for f in findings()} == {"history_user_name"}


@pytest.mark.parametrize("full", [True, False])
def test_a_deleted_row_is_found(owner: Any, full: bool) -> None:
    row = AISystem.history.filter(name="beta").earliest()
    with triggers_off(owner):
        owner.execute(f"DELETE FROM {HISTORY} WHERE history_id = {row.history_id}")
    (finding,) = findings(full=full)
    assert finding["kind"] == "missing_row"
    assert (finding["table"], finding["record"]) == (HISTORY, str(row.history_id))


def test_a_row_inserted_past_the_pending_list_is_found(owner: Any) -> None:
    columns = [
        f.column for f in AISystem.history.model._meta.concrete_fields if f.column != "history_id"
    ]
    with triggers_off(owner):
        names = ", ".join(columns)
        owner.execute(
            f"INSERT INTO {HISTORY} (history_id, {names}) SELECT {FORGED}, {names} FROM {HISTORY} "
            "WHERE name = 'beta' AND history_type = '~'"
        )
    (finding,) = findings()
    assert (finding["kind"], finding["table"], finding["record"]) == (
        "unsealed_row",
        HISTORY,
        str(FORGED),
    )


def test_a_row_inserted_over_the_pending_list_contradicts_the_live_row(owner: Any) -> None:
    row = AISystem.history.filter(name="beta").latest()
    row.pk, row._state.adding, row.provider = None, True, "forged"
    row.save()
    (finding,) = findings()
    assert finding["kind"] == "live_differs"
    assert (finding["table"], finding["record"].replace("-", "")) == (
        "registry_aisystem",
        row.id.hex,
    )


def test_swapped_rows_are_found(owner: Any) -> None:
    first, second = AISystem.history.order_by("history_id")[:2]
    with triggers_off(owner):
        for before, after in (
            (first.history_id, 901),
            (second.history_id, first.history_id),
            (901, second.history_id),
        ):
            owner.execute(f"UPDATE {HISTORY} SET history_id = {after} WHERE history_id = {before}")
    found = [f for f in findings() if f["kind"] == "changed_value"]
    assert {f["record"] for f in found} == {str(first.history_id), str(second.history_id)}


@pytest.mark.parametrize("full", [True, False])
def test_an_edited_live_row_is_found(owner: Any, full: bool) -> None:
    with triggers_off(owner):
        owner.execute("UPDATE registry_aisystem SET provider = 'forged' WHERE name = 'gamma'")
    (finding,) = findings(full=full)
    assert (finding["kind"], finding["table"]) == ("live_differs", "registry_aisystem")


def test_a_live_row_that_was_deleted_or_made_is_found(owner: Any) -> None:
    with triggers_off(owner):
        owner.execute("DELETE FROM registry_aisystem WHERE name = 'gamma'")
        owner.execute(
            "UPDATE registry_aisystem SET id = '0190000000007000a000000000000000' WHERE name = 'beta'"
        )
    assert kinds(findings()) == {"missing_live_row", "no_history"}


def test_an_edited_leaf_is_found_three_ways(owner: Any) -> None:
    leaf = Leaf.objects.get(index=5)
    forged = leaf.data.replace('"schema":1', '"schema": 1')
    with triggers_off(owner):
        owner.execute(f'UPDATE audit_leaf SET data = {mark()} WHERE "index" = 5', [forged])
    found = findings()
    assert {"leaf_hash", "root"} <= kinds(found)
    assert any(f["record"] == "5" and f["table"] == "audit_leaf" for f in found)


def test_an_edited_leaf_with_its_hash_is_found_in_the_tree(owner: Any) -> None:
    leaf = Leaf.objects.get(index=5)
    forged = leaf.data.replace('"schema":1', '"schema":7')
    with triggers_off(owner):
        owner.execute(
            f'UPDATE audit_leaf SET data = {mark()}, leaf_hash = {mark()} WHERE "index" = 5',
            [forged, leaf_hash(forged.encode())],
        )
    assert {"node", "root"} <= kinds(findings())


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    "change", ["actor_id = 'ben'", "use_case = 'other'", "at = '2024-01-01 00:00:00.000001'"]
)
def test_a_leaf_listed_under_another_name_or_time_is_found(
    owner: Any, make_use_case: Any, change: str, full: bool
) -> None:
    """What lists and exports are filtered by is outside the hash, and compared with it."""
    make_use_case("loan")
    seal_and_deliver()
    leaf = Leaf.objects.get(record_type="use_case")
    with triggers_off(owner):
        owner.execute(f'UPDATE audit_leaf SET {change} WHERE "index" = {leaf.index}')
    (finding,) = findings(full=full)
    assert (finding["kind"], finding["record"]) == ("listing", str(leaf.index))


def test_two_leaves_swapped_are_found(owner: Any) -> None:
    with triggers_off(owner):
        for before, after in ((3, 9000), (4, 3), (9000, 4)):
            owner.execute(f'UPDATE audit_leaf SET "index" = {after} WHERE "index" = {before}')
    assert {"root", "node"} & kinds(findings())


def test_a_removed_leaf_is_found_as_a_gap(owner: Any) -> None:
    with triggers_off(owner):
        owner.execute('DELETE FROM audit_leaf WHERE "index" = 4')
    found = findings()
    assert {"gap", "unsealed_row"} <= kinds(found)
    assert any(f["record"] == "4" for f in found if f["kind"] == "gap")


def test_leaves_cut_off_at_the_end_are_found(owner: Any) -> None:
    size = Leaf.objects.count()
    with triggers_off(owner):
        owner.execute(f'DELETE FROM audit_leaf WHERE "index" >= {size - 2}')
    assert "missing_leaves" in kinds(findings())


@pytest.mark.parametrize(
    "change", ["UPDATE audit_node SET hash = {forged}", "DELETE FROM audit_node"]
)
def test_an_edited_or_removed_tree_node_is_found(owner: Any, change: str) -> None:
    node = Node.objects.order_by("position").first()
    forged = (
        "'\\x" + "00" * 32 + "'" if connection.vendor == "postgresql" else "x'" + "00" * 32 + "'"
    )
    with triggers_off(owner):
        owner.execute(change.format(forged=forged) + f" WHERE position = {node.position}")
    found = [f for f in findings() if f["kind"] == "node"]
    assert [f["record"] for f in found] == ["3/0"]


def test_a_forged_extra_node_is_found(owner: Any) -> None:
    with triggers_off(owner):
        owner.execute(
            "INSERT INTO audit_node (position, hash) SELECT 99999, hash FROM audit_node LIMIT 1"
        )
    assert kinds(findings()) == {"node"}


def test_an_edited_checkpoint_is_found_by_its_signature_and_its_note(owner: Any) -> None:
    checkpoint = Checkpoint.objects.order_by("tree_size").first()
    with triggers_off(owner):
        owner.execute(
            f"UPDATE audit_checkpoint SET note = replace(note, '{checkpoint.tree_size}', '3') WHERE id = {checkpoint.id}"
        )
    assert "signature" in kinds(findings())
    size = Checkpoint.objects.order_by("-tree_size").first().tree_size
    with triggers_off(owner):
        owner.execute(
            f"UPDATE audit_checkpoint SET tree_size = {size + 5} WHERE tree_size = {size}"
        )
    assert {"checkpoint", "missing_leaves"} <= kinds(findings())


def rollback(copy: Any) -> None:
    """Put the database back as it was when ``copy`` was taken."""
    connections.close_all()
    connection.settings_dict["NAME"] = copy


def test_a_database_rolled_back_behind_its_witness_is_found(django_db_blocker: Any) -> None:
    now = connection.settings_dict["NAME"]
    connections.close_all()
    make = databases._sqlite_copy if connection.vendor == "sqlite" else databases._postgresql_copy
    with make(now) as backup:
        ai_system_register(actor=ANN, name="delta")
        seal_and_deliver()
        assert findings() == []
        rollback(backup)
        try:
            assert kinds(findings()) == {"rollback"}
            # and going on from there makes a fork, which the witness holds against it
            ai_system_register(actor=ANN, name="epsilon")
            sealing.seal_all()
            assert kinds(findings()) == {"fork"}
        finally:
            rollback(now)


def test_a_ledger_rewritten_with_a_new_key_is_found_by_the_witness(
    owner: Any, tmp_path: Path, settings: Any
) -> None:
    """The strongest attacker: all rows, leaves, nodes and checkpoints made anew, all of a piece."""
    settings.LEDGER_KEY_FILE = tmp_path / "new.key"
    key = keys.signing_key()
    public = keys.public_key_bytes(key).hex()
    with triggers_off(owner):
        owner.execute(f"UPDATE {HISTORY} SET provider = 'forged' WHERE name = 'beta'")
        owner.execute("UPDATE registry_aisystem SET provider = 'forged' WHERE name = 'beta'")
        owner.execute(f"UPDATE audit_ledgerkey SET public_key = {mark()}", [public])
        frontier = Frontier()
        owner.execute("DELETE FROM audit_node")
        sizes = set(Checkpoint.objects.values_list("tree_size", flat=True))
        for leaf in Leaf.objects.order_by("index"):
            record = json.loads(leaf.data)
            if record.get("name") == "beta":
                record["provider"] = "forged"
            if record["type"] == "ledger_key":
                record["public_key"] = public
            data = notes_data(record)
            owner.execute(
                f'UPDATE audit_leaf SET data = {mark()}, leaf_hash = {mark()} WHERE "index" = {mark()}',
                [data.decode(), leaf_hash(data), leaf.index],
            )
            for position, digest in ledger.stored_nodes(frontier.extend([leaf_hash(data)])):
                owner.execute(
                    f"INSERT INTO audit_node (position, hash) VALUES ({mark()}, {mark()})",
                    [position, digest],
                )
            if frontier.size in sizes:
                body = notes.Checkpoint(
                    settings.LEDGER_ORIGIN, frontier.size, frontier.root()
                ).body()
                owner.execute(
                    f"UPDATE audit_checkpoint SET root_hash = {mark()}, note = {mark()} WHERE tree_size = {mark()}",
                    [
                        frontier.root(),
                        notes.sign_note(body, settings.LEDGER_ORIGIN, key),
                        frontier.size,
                    ],
                )
    found = findings()
    assert kinds(found) == {"fork", "unknown_key"}
    assert {f["table"] for f in found} == {"witness:file"}


def notes_data(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_key_that_its_predecessor_did_not_endorse_is_found(owner: Any) -> None:
    LedgerKey(name=settings.LEDGER_ORIGIN, public_key="00" * 32).save()
    seal_error = None
    try:
        sealing.seal_all()
    except Exception as error:  # noqa: BLE001
        seal_error = error
    assert "retired key" in str(seal_error)
    assert "key" in kinds(findings())


def test_a_dropped_trigger_is_named(owner: Any) -> None:
    name = "hitl_append_only" if connection.vendor == "postgresql" else "hitl_update_audit_leaf"
    owner.execute(
        f"DROP TRIGGER {name} ON audit_leaf"
        if connection.vendor == "postgresql"
        else f"DROP TRIGGER {name}"
    )
    (finding,) = findings(full=False)
    assert (finding["kind"], finding["table"]) == ("trigger", "audit_leaf")
    assert name in finding["detail"]


def test_a_trigger_that_was_made_harmless_is_named(owner: Any) -> None:
    if connection.vendor == "postgresql":
        owner.execute(
            "CREATE OR REPLACE FUNCTION hitl_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        )
    else:
        owner.execute("DROP TRIGGER hitl_update_audit_leaf")
        owner.execute(
            "CREATE TRIGGER hitl_update_audit_leaf BEFORE UPDATE ON audit_leaf BEGIN SELECT 1; END"
        )
    assert any("altered" in fault for _table, fault in triggers.faults(connection))


def test_a_switched_off_trigger_is_named_on_postgresql(owner: Any) -> None:
    if connection.vendor == "sqlite":
        return  # SQLite cannot switch one off
    owner.execute("ALTER TABLE audit_leaf DISABLE TRIGGER hitl_append_only")
    assert triggers.faults(connection) == [
        ("audit_leaf", "trigger hitl_append_only is switched off (D)")
    ]


def test_an_edited_record_schema_is_found(owner: Any) -> None:
    with triggers_off(owner):
        owner.execute(
            "UPDATE audit_recordschema SET definition = '{}' WHERE described_type = 'ai_system'"
        )
    assert {"schema", "changed_value"} <= kinds(findings())


def test_a_witness_that_lost_its_checkpoints_is_found(settings: Any) -> None:
    shutil.rmtree(settings.WITNESS_DIR)
    assert kinds(findings()) == {"witness_lost"}


def test_a_record_taken_off_the_pending_list_is_found(owner: Any) -> None:
    ai_system_register(actor=ANN, name="delta")
    owner.execute("DELETE FROM audit_pendingrecord")
    assert kinds(findings()) == {"unsealed_row"}


def test_the_command_exits_1_and_prints_the_findings(owner: Any, capsys: Any) -> None:
    from django.core.management import call_command

    with triggers_off(owner):
        owner.execute("UPDATE registry_aisystem SET provider = 'forged' WHERE name = 'gamma'")
    with pytest.raises(SystemExit) as stopped:
        call_command("verify_audit", "--full", "--json")
    assert stopped.value.code == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["records"]) == (False, verification.verify(full=True).records)
    assert [f["kind"] for f in document["findings"]] == ["live_differs"]
