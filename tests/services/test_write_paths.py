"""Each way to write a tracked row ends recorded exactly once, or refused. On both databases.

On PostgreSQL these run with the rights of the app role, as the product does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.core.serializers.base import DeserializationError
from django.db import DatabaseError, connection, models, transaction
from django.db.models import F
from django.test.utils import isolate_apps
from django.utils import timezone
from simple_history.utils import update_change_reason

from apps.accounts.models import RoleGrant, User
from apps.audit import sealing
from apps.audit.checks import _faults_of
from apps.audit.events import Event, record_event
from apps.audit.models import PendingRecord
from apps.common import models as common_models
from apps.common.actor import Actor
from apps.common.errors import ActorRequired, UnrecordedWrite
from apps.common.history import TrackedHistory
from apps.common.models import TrackedModel
from apps.registry.models import AISystem, UseCase
from apps.registry.services import ai_system_register, ai_system_update

ANN = Actor("person", "1", "ann")


@pytest.fixture
def system(committed_db: Any) -> AISystem:
    return ai_system_register(actor=ANN, name="scorer", provider="before")


def state(system: AISystem) -> tuple[str, list[str], int]:
    """What the live row says, what history says, how many records wait for the ledger."""
    live = AISystem.objects.filter(pk=system.pk).values_list("provider", flat=True).first()
    history = list(
        AISystem.history.filter(id=system.pk)
        .order_by("history_id")
        .values_list("provider", flat=True)
    )
    return live, history, PendingRecord.objects.filter(record_type="ai_system").count()


@contextmanager
def refused(system: AISystem, *errors: type[Exception]) -> Iterator[None]:
    """The write raises, and neither row nor history nor pending list has changed."""
    before = state(system)
    with pytest.raises(errors or (UnrecordedWrite, DatabaseError)):
        yield
    assert state(system) == before


@contextmanager
def recorded_once(system: AISystem) -> Iterator[None]:
    """One more history row, equal to the live row, and one more pending record."""
    _live, history, pending = state(system)
    yield
    live_after, history_after, pending_after = state(system)
    assert history_after == [*history, live_after]
    assert pending_after == pending + 1


def raw(sql: str, params: list[Any] | None = None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params or [])


def test_a_service_s_change_is_recorded_once(system: AISystem) -> None:
    with recorded_once(system):
        ai_system_update(actor=ANN, system=system, reason="provider moved", provider="after")
    newest = AISystem.history.filter(id=system.pk).latest()
    assert (newest.history_user_id, newest.history_user_name) == ("1", "ann")
    assert newest.history_change_reason == "provider moved"


@pytest.mark.parametrize("manager", ["objects", "_base_manager"])
def test_a_queryset_update_is_refused(system: AISystem, manager: str) -> None:
    with refused(system):
        getattr(AISystem, manager).filter(pk=system.pk).update(provider="after")


@pytest.mark.parametrize("manager", ["objects", "_base_manager"])
def test_a_bulk_update_is_refused(system: AISystem, manager: str) -> None:
    system.provider = "after"
    with refused(system):
        getattr(AISystem, manager).bulk_update([system], ["provider"])


@pytest.mark.parametrize("manager", ["objects", "_base_manager"])
def test_a_bulk_create_is_refused(system: AISystem, manager: str) -> None:
    with refused(system):
        getattr(AISystem, manager).bulk_create([AISystem(name="other")])
    assert not AISystem.objects.filter(name="other").exists()


def test_get_or_create_and_update_or_create_are_refused(system: AISystem) -> None:
    with refused(system):
        AISystem.objects.get_or_create(name="other")
    with refused(system):
        AISystem.objects.update_or_create(name="scorer", defaults={"provider": "after"})


def test_a_raw_update_is_refused(system: AISystem) -> None:
    with refused(system, DatabaseError):
        raw("UPDATE registry_aisystem SET provider = 'after'")


def test_a_raw_insert_is_refused(system: AISystem) -> None:
    with refused(system, DatabaseError):
        raw(
            "INSERT INTO registry_aisystem (id, name, provider, intended_purpose, limits) "
            "SELECT %s, 'other', provider, intended_purpose, limits FROM registry_aisystem",
            ["0" * 32],
        )


def test_a_raw_delete_is_refused(system: AISystem) -> None:
    with refused(system, DatabaseError):
        raw("DELETE FROM registry_aisystem")
    with refused(system):
        AISystem.objects.filter(pk=system.pk)._raw_delete("default")
    with refused(system), transaction.atomic():
        AISystem._base_manager.filter(pk=system.pk)._raw_delete("default")


def test_a_raw_change_of_the_key_is_refused(system: AISystem) -> None:
    with refused(system, DatabaseError):
        raw("UPDATE registry_aisystem SET id = %s", ["f" * 32])


def test_a_queryset_delete_is_refused(system: AISystem) -> None:
    with refused(system):
        AISystem.objects.filter(pk=system.pk).delete()
    with refused(system), transaction.atomic():
        AISystem._base_manager.filter(pk=system.pk).delete()


def test_a_deletion_with_an_actor_is_recorded_once(committed_db: Any, make_person: Any) -> None:
    grant = make_person("ann", "reviewer").role_grants.get()
    grant_id, pending = grant.id, PendingRecord.objects.count()
    grant.delete(actor=ANN, reason="left the team")
    ends = RoleGrant.history.filter(id=grant_id, history_type="-")
    assert [end.history_change_reason for end in ends] == ["left the team"]
    assert PendingRecord.objects.count() == pending + 1


def test_a_cascade_is_refused_because_every_reference_protects(
    committed_db: Any, make_person: Any
) -> None:
    person = make_person("ann", "reviewer")
    with pytest.raises((models.ProtectedError, UnrecordedWrite)), transaction.atomic():
        User._base_manager.filter(pk=person.pk).delete()
    assert RoleGrant.objects.filter(user=person).count() == 1


@pytest.fixture
def faults_of() -> Iterator[Any]:
    """Faults that the system check finds in a model made for the test alone."""
    before = list(common_models.TRACKED)

    def check(**fields: Any) -> str:
        with isolate_apps("apps.registry"):
            meta = type("Meta", (), {"app_label": "registry"})
            history = fields.pop("history", None) or TrackedHistory()
            body = {"__module__": __name__, "Meta": meta, "history": history, **fields}
            return "; ".join(_faults_of(type("Probe", (TrackedModel,), body)))

    yield check
    common_models.TRACKED[:] = before
    globals().pop("HistoricalProbe", None)


def test_the_check_refuses_a_cascade_and_passes_protection(faults_of: Any) -> None:
    assert "PROTECT" in faults_of(parent=models.ForeignKey("registry.UseCase", models.CASCADE))
    assert faults_of(parent=models.ForeignKey("registry.UseCase", models.PROTECT)) == ""


def test_the_check_refuses_a_many_to_many_field(faults_of: Any) -> None:
    assert "many-to-many" in faults_of(people=models.ManyToManyField("registry.UseCase"))


def test_the_check_refuses_a_field_without_history(faults_of: Any) -> None:
    hidden = TrackedHistory(secret_fields=("note",))
    assert "'note'" in faults_of(note=models.TextField(), history=hidden)


def test_the_check_refuses_values_set_after_the_record(faults_of: Any) -> None:
    assert "auto_now" in faults_of(at=models.DateTimeField(auto_now=True))
    assert "database sets" in faults_of(n=models.IntegerField(db_default=1))


def test_the_check_refuses_history_switched_off(settings: Any) -> None:
    from apps.audit.checks import tracked_models_can_be_recorded

    assert tracked_models_can_be_recorded() == []
    settings.SIMPLE_HISTORY_ENABLED = False
    assert [error.id for error in tracked_models_can_be_recorded()] == ["audit.E001"]


def test_history_is_written_even_where_a_setting_says_not_to(
    system: AISystem, settings: Any
) -> None:
    settings.SIMPLE_HISTORY_ENABLED = False
    with recorded_once(system):
        ai_system_update(actor=ANN, system=system, reason="r", provider="after")


def test_a_save_of_some_fields_is_refused(system: AISystem) -> None:
    system.provider = "after"
    with refused(system, UnrecordedWrite):
        system.save(actor=ANN, update_fields=["provider"])


def test_an_expression_is_refused_before_the_live_row_changes(system: AISystem) -> None:
    system.provider = F("name")
    with refused(system, Exception):
        system.save(actor=ANN)


def test_when_the_history_row_cannot_be_written_the_live_row_stays(
    system: AISystem, monkeypatch: Any
) -> None:
    def disk_full(*args: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(AISystem._history(), "record", disk_full)
    system.provider = "after"
    with refused(system, OSError):
        system.save(actor=ANN)


def test_when_the_pending_entry_cannot_be_written_nothing_is(system: AISystem, owner: Any) -> None:
    owner.execute("DROP TABLE audit_pendingrecord")
    system.provider = "after"
    with pytest.raises(DatabaseError):
        system.save(actor=ANN)
    assert AISystem.objects.get().provider == "before"
    assert AISystem.history.count() == 1


def test_when_the_live_row_cannot_be_written_no_history_stays(system: AISystem) -> None:
    other = AISystem(name=system.name)
    with refused(system, DatabaseError):
        other.save(actor=ANN)
    assert AISystem.history.filter(id=other.id).count() == 0


def test_saving_without_a_record_is_refused(system: AISystem) -> None:
    system.provider = "after"
    with refused(system, UnrecordedWrite):
        system.save_without_historical_record()


def test_the_mark_to_skip_history_is_not_heeded(system: AISystem) -> None:
    system.skip_history_when_saving = True
    system.provider = "after"
    with recorded_once(system):
        system.save(actor=ANN)


def test_loading_a_fixture_is_refused(system: AISystem, tmp_path: Path) -> None:
    row = {
        "model": "registry.aisystem",
        "pk": str(system.pk),
        "fields": {"name": "scorer", "provider": "after"},
    }
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([row]))
    with refused(system, DatabaseError, DeserializationError):
        call_command("loaddata", str(path), verbosity=0)


HISTORY = "registry_historicalaisystem"


def attacks() -> list[str]:
    found = [
        f"UPDATE {HISTORY} SET provider = 'after'",
        f"DELETE FROM {HISTORY}",
        "UPDATE audit_leaf SET data = '{{}}'",
        "DELETE FROM audit_leaf",
        "DELETE FROM audit_node",
        "UPDATE audit_checkpoint SET note = ''",
        "DELETE FROM audit_accessevent",
        "DELETE FROM audit_ledgerkey",
        "UPDATE audit_recordschema SET definition = ''",
        f"INSERT INTO {HISTORY} SELECT * FROM {HISTORY} WHERE true ON CONFLICT (history_id) DO UPDATE SET provider = 'after'",
    ]
    if connection.vendor == "postgresql":
        return [
            *found,
            f"TRUNCATE {HISTORY}",
            "TRUNCATE registry_aisystem CASCADE",
            "TRUNCATE audit_leaf",
        ]
    return [
        *found,
        f"INSERT OR REPLACE INTO {HISTORY} SELECT * FROM {HISTORY}",
        f"REPLACE INTO {HISTORY} SELECT * FROM {HISTORY}",
        f"UPDATE OR REPLACE {HISTORY} SET provider = 'after'",
        "INSERT OR REPLACE INTO registry_aisystem SELECT id, name, 'after', intended_purpose, limits FROM registry_aisystem",
    ]


def seal_everything() -> None:
    record_event(Event("export_made", ANN))
    sealing.seal_all()


@pytest.mark.parametrize("number", range(14))
def test_history_and_ledger_tables_refuse_every_change(system: AISystem, number: int) -> None:
    if number >= len(attacks()):
        assert connection.vendor == "postgresql"  # one fewer than SQLite's ways to replace a row
        return
    ai_system_register(actor=ANN, name="second")
    ai_system_update(actor=ANN, system=system, reason="r", provider="sealed")
    ai_system_register(actor=ANN, name="third")
    seal_everything()
    with refused(system, DatabaseError):
        raw(attacks()[number])


@pytest.mark.parametrize("number", range(14))
def test_the_triggers_refuse_the_owner_of_the_tables_too(
    system: AISystem, owner: Any, number: int
) -> None:
    seal_everything()
    if number >= len(attacks()):
        assert connection.vendor == "postgresql"
        return
    attack = attacks()[number]
    with pytest.raises(Exception, match="refused|exists|unrecorded"):
        if connection.vendor == "postgresql":
            owner.execute("SET session_replication_role = replica")
        owner.execute(attack)


def test_a_changed_reason_is_refused(system: AISystem) -> None:
    with refused(system):
        update_change_reason(system, "another reason")


def test_a_history_row_is_neither_saved_again_nor_deleted(system: AISystem) -> None:
    row = AISystem.history.filter(id=system.pk).get()
    with refused(system, UnrecordedWrite):
        row.save()
    with refused(system, UnrecordedWrite):
        row.delete()


def test_a_back_dated_instance_gets_the_present_time(system: AISystem) -> None:
    system._history_date = timezone.now() - timedelta(days=700)
    system.provider = "after"
    with recorded_once(system):
        system.save(actor=ANN)
    assert timezone.now() - AISystem.history.filter(id=system.pk).latest().history_date < timedelta(
        minutes=1
    )


@pytest.mark.parametrize("offset", [timedelta(days=-700), timedelta(hours=1)])
def test_a_history_row_far_from_the_database_clock_is_refused(
    system: AISystem, offset: timedelta
) -> None:
    row = AISystem.history.filter(id=system.pk).get()
    row.pk, row._state.adding, row.history_date = None, True, timezone.now() + offset
    with refused(system, DatabaseError), transaction.atomic():
        row.save()


def test_a_person_is_never_deleted_and_the_name_stays(committed_db: Any, make_person: Any) -> None:
    person = make_person("ann")
    ai_system_register(actor=person.actor, name="scorer")
    with pytest.raises(DatabaseError):
        raw("DELETE FROM accounts_user")
    assert AISystem.history.get().history_user_name == "ann"


@pytest.mark.parametrize("actor", [None, "ann", {"id": "1"}])
def test_a_write_without_an_actor_is_refused(system: AISystem, actor: Any) -> None:
    system.provider = "after"
    with refused(system, ActorRequired):
        system.save(actor=actor)
    with refused(system, ActorRequired):
        AISystem.objects.create(name="other")


def test_an_actor_does_not_linger_after_an_exception(system: AISystem) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        ai_system_update(actor=ANN, system=system, reason="r", provider="after")
        raise RuntimeError
    with refused(system, ActorRequired):
        system.save()


def test_interleaved_writers_are_recorded_each_under_their_own_name(system: AISystem) -> None:
    async def write(name: str) -> None:
        for number in range(3):
            await sync_to_async(ai_system_register)(
                actor=Actor("person", name, name), name=f"{name}-{number}"
            )

    async def both() -> None:
        await asyncio.gather(write("ben"), write("cleo"))

    asyncio.run(both())
    rows = AISystem.history.exclude(id=system.pk).values_list("name", "history_user_id")
    assert sorted(rows) == sorted((f"{n}-{i}", n) for n in ("ben", "cleo") for i in range(3))


def test_history_tables_are_indexed_by_their_object_alone(committed_db: Any) -> None:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "registry_historicalusecase")
    indexed = {tuple(c["columns"]) for c in constraints.values() if c["index"] or c["primary_key"]}
    assert {("history_id",), ("slug",)} <= indexed
    assert not any("history_date" in columns for columns in indexed)


def test_a_use_case_is_recorded_like_any_other_row(committed_db: Any, make_use_case: Any) -> None:
    make_use_case("loan")
    assert UseCase.history.filter(slug="loan").count() == 1
