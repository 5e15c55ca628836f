"""Records outlive migrations: an old leaf is compared under the schema that it was made under."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, models

from apps.audit import record_schemas, sealing, sources, triggers
from apps.audit.apps import make_room_for_remakes
from apps.audit.checks import triggers_are_in_place
from apps.audit.models import Leaf
from apps.audit.record_schemas import Schema, SchemaBook, next_schema, register_schemas, schema_book
from apps.common.errors import LedgerBroken
from apps.registry.models import AISystem
from apps.registry.services import ai_system_register
from tests import databases
from tests.services.ledgers import ANN, findings

HISTORY = "registry_historicalaisystem"


@pytest.fixture(autouse=True)
def own_schema_book(committed_db: Any, monkeypatch: Any) -> Iterator[dict[str, dict[int, Schema]]]:
    """The schemas of the code, to which a test can add one as a migration would."""
    schemas = {kind: dict(numbers) for kind, numbers in schema_book().schemas.items()}
    book = SchemaBook(schemas)
    for module in (
        record_schemas,
        __import__("apps.audit.records", fromlist=["x"]),
        __import__("apps.audit.comparison", fromlist=["x"]),
        __import__("apps.audit.verification", fromlist=["x"]),
    ):
        monkeypatch.setattr(module, "schema_book", lambda: book)
    yield schemas


def alter(*statements: str) -> None:
    """Change the tables as the owner, then put the triggers back as migrate does."""
    with databases.owner_cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def reinstall() -> None:
    """Triggers are the owner's: on PostgreSQL the app may not touch them."""
    options = connection.settings_dict["OPTIONS"]
    connection.close()
    connection.settings_dict["OPTIONS"] = {k: v for k, v in options.items() if k != "options"}
    triggers.install(connection)
    connection.close()
    connection.settings_dict["OPTIONS"] = options


@pytest.fixture
def columns() -> Iterator[Any]:
    """Change the columns of the model AISystem and its history for one test."""
    undo: list[Any] = []

    def swap(model: Any, old: str, new: models.Field[Any, Any] | None) -> None:
        fields = model._meta.local_fields
        kept = list(fields)
        undo.append(lambda: (fields.__setitem__(slice(None), kept), model._meta._expire_cache()))
        position = next((i for i, f in enumerate(fields) if f.name == old), len(fields))
        fields[position : position + 1] = [new] if new is not None else []
        model._meta._expire_cache()

    yield swap
    for step in reversed(undo):
        step()


def field(name: str, field: models.Field[Any, Any], model: Any) -> models.Field[Any, Any]:
    field.set_attributes_from_name(name)
    field.model = model
    return field


def test_a_thousand_sealed_records_verify_after_fields_were_added_renamed_and_dropped(
    own_schema_book: dict[str, dict[int, Schema]], columns: Any
) -> None:
    for number in range(1000):
        ai_system_register(
            actor=ANN, name=f"s-{number}", provider=f"p{number}", limits=f"l{number}"
        )
    sealing.seal_all()
    assert findings() == []

    # The migration: `provider` becomes `maker`, `limits` goes, `homepage` comes.
    for table in ("registry_aisystem", HISTORY):
        alter(
            f"ALTER TABLE {table} RENAME COLUMN provider TO maker",
            *(
                []
                if connection.vendor == "postgresql"
                else [
                    f"DROP TRIGGER IF EXISTS hitl_guard_{verb}_registry_aisystem"
                    for verb in ("insert", "update", "delete")
                ]
            ),
            f"ALTER TABLE {table} DROP COLUMN limits",
            f"ALTER TABLE {table} ADD COLUMN homepage varchar(200) NOT NULL DEFAULT ''",
        )
    for model in (AISystem, AISystem.history.model):
        columns(model, "provider", field("maker", models.CharField(max_length=200), model))
        columns(model, "limits", None)
        columns(model, "-", field("homepage", models.CharField(max_length=200), model))
    old = own_schema_book["ai_system"][1]
    added = next_schema("ai_system", {"provider": "maker"})
    assert added is not None
    assert (added.number, added.renamed, added.dropped) == (2, {"provider": "maker"}, ("limits",))
    own_schema_book["ai_system"][2] = added
    reinstall()

    assert findings() == []
    assert set(old.fields) - set(added.fields) == {"provider", "limits"}

    # A forged value is still found under the renamed column, and new records use the new schema.
    from tests.services.ledgers import triggers_off

    with databases.owner_cursor() as cursor, triggers_off(cursor):
        cursor.execute(f"UPDATE {HISTORY} SET maker = 'forged' WHERE name = 's-7'")
    found = [f for f in findings() if f["kind"] == "changed_value"]
    assert len(found) == 1
    assert "provider" in found[0]["detail"]


def test_a_model_without_a_fitting_schema_is_not_sealed(
    own_schema_book: dict[str, dict[int, Schema]],
) -> None:
    del own_schema_book["ai_system"]
    ai_system_register(actor=ANN, name="scorer")
    with pytest.raises(LedgerBroken, match="ai_system"):
        sealing.seal_all()
    assert Leaf.objects.count() == 0


def test_an_edited_schema_is_refused_by_the_next_migrate(
    own_schema_book: dict[str, dict[int, Schema]],
) -> None:
    old = own_schema_book["ai_system"][1]
    own_schema_book["ai_system"][1] = Schema("ai_system", 1, {**old.fields, "name": "int"})
    with pytest.raises(LedgerBroken, match="ai_system/1 was edited"):
        register_schemas(connection)


def test_a_field_that_changed_its_kind_rests_on_its_leaf_alone() -> None:
    first = Schema("x", 1, {"a": "text", "b": "int"})
    second = Schema("x", 2, {"a": "int", "c": "int"}, renamed={"b": "c"})
    third = Schema("x", 3, {"a": "int"}, dropped=("c",))
    book = SchemaBook({"x": {1: first, 2: second}})
    assert book.columns_today(first) == {"a": None, "b": "c"}
    book = SchemaBook({"x": {1: first, 2: second, 3: third}})
    assert book.columns_today(first) == {"a": None, "b": None}
    assert book.columns_today(second) == {"a": "a", "c": None}


def test_every_source_has_a_schema_that_fits_and_no_two_sources_share_a_type() -> None:
    assert len(sources.sources()) == len({s.table for s in sources.sources().values()})
    assert all(next_schema(kind, {}) is None for kind in sources.sources())


def test_a_table_remake_loses_the_triggers_and_migrate_puts_them_back() -> None:
    """On SQLite an altered column remakes its table; the check names what is missing."""
    take_a_trigger_away()
    faults = triggers.faults(connection)
    assert HISTORY in {table for table, _ in faults}
    with pytest.raises(SystemCheckError, match=r"audit\.E005"):
        call_command("check", databases=["default"])
    reinstall()
    assert triggers.faults(connection) == []
    call_command("check", databases=["default"])


def test_what_a_newer_version_adds_does_not_keep_it_from_being_migrated() -> None:
    """New triggers come with a migration: before it they are missing, and migrate is what adds them."""
    take_a_trigger_away()
    assert [fault.id for fault in triggers_are_in_place(databases=["default"])][:1] == [
        "audit.E005"
    ]
    with databases.owner_cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'audit'")
    assert triggers_are_in_place(databases=["default"]) == []


def take_a_trigger_away() -> None:
    if connection.vendor == "postgresql":
        alter(f"DROP TRIGGER hitl_append_only ON {HISTORY}")
    else:
        remake_history_table()


def remake_history_table() -> None:
    """As a migration does: the signal before it, then the altered field."""
    make_room_for_remakes("default", plan=["a migration"])
    model = AISystem.history.model
    connection.close()
    with connection.schema_editor() as editor:
        after = field("provider", models.CharField(max_length=300), model)
        editor.alter_field(model, model._meta.get_field("provider"), after)
