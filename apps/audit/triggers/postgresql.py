"""The guarding triggers in PostgreSQL's words.

Statement triggers with transition tables: one call per statement, so a bulk insert of 50,000 rows
pays once. ENABLE ALWAYS: they fire under ``session_replication_role = replica`` too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from apps.audit.sources import Source, sources
from apps.audit.triggers import CLOCK_SLACK_S, live_columns, protected_tables
from apps.audit.triggers.references import Reference, by_table, by_target, references

PREFIX = "hitl_"


class Trigger(NamedTuple):
    name: str
    table: str
    when: str
    referencing: str
    call: str
    each: str = "STATEMENT"

    @property
    def sql(self) -> str:
        return (
            f'CREATE OR REPLACE TRIGGER "{self.name}" {self.when} ON "{self.table}" '
            f"{self.referencing} FOR EACH {self.each} EXECUTE FUNCTION {self.call}"
        )


REFUSE = """
BEGIN
  RAISE EXCEPTION 'append-only table %: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '23514';
END"""


def _pending_body(key: str, time: str) -> str:
    return f"""
BEGIN
  IF EXISTS (SELECT 1 FROM new_rows
             WHERE abs(extract(epoch FROM {time} - clock_timestamp())) > {CLOCK_SLACK_S}) THEN
    RAISE EXCEPTION '%: {time} differs from the database clock', TG_TABLE_NAME USING ERRCODE = '23514';
  END IF;
  INSERT INTO audit_pendingrecord (record_type, record_id)
    SELECT TG_ARGV[0], {key} FROM new_rows ORDER BY {key};
  RETURN NULL;
END"""


def _guard_body(source: Source) -> str:
    assert source.live is not None
    key = source.live._meta.pk.column
    columns = live_columns(source)
    left = ", ".join(f'h."{c}"' for c in columns)
    right = ", ".join(f'n."{c}"' for c in columns)
    # "+ 0" keeps to the index of the object. The planner knows little of a table that has just
    # grown, and would walk the primary key backwards, from the newest row of all to the object's.
    newest = (
        f'SELECT * FROM "{source.table}" m WHERE m."{key}" = %s."{key}" '
        "ORDER BY m.history_id + 0 DESC LIMIT 1"
    )
    return f"""
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION '%: TRUNCATE is refused', TG_TABLE_NAME USING ERRCODE = '23514';
  ELSIF TG_OP = 'DELETE' THEN
    IF NOT EXISTS (SELECT 1 FROM old_rows o WHERE NOT EXISTS (
        SELECT 1 FROM ({newest % "o"}) h WHERE h.history_type = '-')) THEN
      RETURN NULL;
    END IF;
  ELSE
    IF NOT EXISTS (SELECT 1 FROM new_rows n WHERE NOT EXISTS (
        SELECT 1 FROM ({newest % "n"}) h
        WHERE h.history_type <> '-' AND ({left}) IS NOT DISTINCT FROM ({right}))) THEN
      IF TG_OP = 'INSERT' THEN
        RETURN NULL;
      ELSIF NOT EXISTS (SELECT 1 FROM old_rows o
                        WHERE NOT EXISTS (SELECT 1 FROM new_rows n WHERE n."{key}" = o."{key}")) THEN
        RETURN NULL;
      END IF;
    END IF;
  END IF;
  RAISE EXCEPTION '%: the row differs from its newest history row; unrecorded writes are refused',
    TG_TABLE_NAME USING ERRCODE = '23514';
END"""


def _referring_body(found: list[Reference]) -> str:
    """The rows that are referred to are locked as a foreign key locks them; one that is not there
    is missing among the locked."""
    checks = "\n".join(_referring_check(*reference) for reference in found)
    return f"""
DECLARE
  wanted bigint; there bigint;
BEGIN{checks}
  RETURN NULL;
END"""


def _referring_check(table: str, column: str, target: str, key: str) -> str:
    keys = f'(SELECT DISTINCT "{column}" AS key FROM new_rows WHERE "{column}" IS NOT NULL) n'
    return f"""
  SELECT count(*) INTO wanted FROM {keys};
  PERFORM 1 FROM {keys} JOIN "{target}" t ON t."{key}" = n.key FOR KEY SHARE OF t;
  GET DIAGNOSTICS there = ROW_COUNT;
  IF there <> wanted THEN
    RAISE EXCEPTION '{table}: {column} refers to no row of {target}' USING ERRCODE = '23503';
  END IF;"""


def _moved_body(reference: Reference) -> str:
    table, column, target, key = reference
    return f"""
BEGIN
  PERFORM 1 FROM "{target}" t WHERE t."{key}" = NEW."{column}" FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION '{table}: {column} refers to no row of {target}' USING ERRCODE = '23503';
  END IF;
  RETURN NULL;
END"""


def _referred_body(found: list[Reference]) -> str:
    checks = "\n".join(
        f"""
  IF EXISTS (SELECT 1 FROM "{table}" r WHERE r."{column}" = OLD."{key}") THEN
    RAISE EXCEPTION '{target}: a row is referred to by {column} of {table}' USING ERRCODE = '23503';
  END IF;"""
        for table, column, target, key in found
    )
    return f"""
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION '%: others refer to its rows', TG_TABLE_NAME USING ERRCODE = '23503';
  END IF;{checks}
  RETURN NULL;
END"""


def _reference_functions(found: list[Reference]) -> dict[str, str]:
    bodies = {f"{PREFIX}refers_{t}": _referring_body(some) for t, some in by_table(found).items()}
    bodies |= {_moved_function(reference): _moved_body(reference) for reference in found}
    bodies |= {
        f"{PREFIX}referred_{t}": _referred_body(some) for t, some in by_target(found).items()
    }
    return bodies


def _moved_function(reference: Reference) -> str:
    return f"{PREFIX}refers_{reference.table}_{reference.column}"


def _reference_triggers(found: list[Reference]) -> Iterator[Trigger]:
    for table in by_table(found):
        new = "REFERENCING NEW TABLE AS new_rows"
        yield Trigger(f"{PREFIX}refers", table, "AFTER INSERT", new, f"{PREFIX}refers_{table}()")
    for reference in found:
        table, column = reference.table, reference.column
        changed = f'ROW WHEN (NEW."{column}" IS DISTINCT FROM OLD."{column}" AND NEW."{column}" IS NOT NULL)'
        call = f"{_moved_function(reference)}()"
        yield Trigger(
            f"{PREFIX}refers_{column}", table, f'AFTER UPDATE OF "{column}"', "", call, changed
        )
    for target, some in by_target(found).items():
        call, keys = f"{PREFIX}referred_{target}()", {reference.key for reference in some}
        yield Trigger(f"{PREFIX}referred_delete", target, "AFTER DELETE", "", call, "ROW")
        yield Trigger(f"{PREFIX}referred_truncate", target, "BEFORE TRUNCATE", "", call)
        for key in keys:
            changed = f'ROW WHEN (NEW."{key}" IS DISTINCT FROM OLD."{key}")'
            when = f'AFTER UPDATE OF "{key}"'
            yield Trigger(f"{PREFIX}referred_{key}", target, when, "", call, changed)


def functions(tables: set[str]) -> dict[str, str]:
    """Function name -> plpgsql body."""
    bodies = {f"{PREFIX}refuse": REFUSE}
    for source in sources().values():
        bodies[_pending_function(source)] = _pending_body(source.key, source.time)
        if source.live is not None and source.table in tables:
            bodies[_guard_function(source)] = _guard_body(source)
    return bodies | _reference_functions(references(tables))


def _pending_function(source: Source) -> str:
    return f"{PREFIX}pending_{source.key}_{source.time}"


def _guard_function(source: Source) -> str:
    assert source.live is not None
    return f"{PREFIX}guard_{source.live._meta.db_table}"


def triggers(tables: set[str]) -> Iterator[Trigger]:
    for table in protected_tables():
        when = "BEFORE UPDATE OR DELETE OR TRUNCATE"
        yield Trigger(f"{PREFIX}append_only", table, when, "", f"{PREFIX}refuse()")
    for source in sources().values():
        call = f"{_pending_function(source)}('{source.type}')"
        new = "REFERENCING NEW TABLE AS new_rows"
        yield Trigger(f"{PREFIX}pending", source.table, "AFTER INSERT", new, call)
        if source.live is None or source.table not in tables:
            continue
        table, guard = source.live._meta.db_table, f"{_guard_function(source)}()"
        old = "REFERENCING OLD TABLE AS old_rows"
        yield Trigger(f"{PREFIX}guard_insert", table, "AFTER INSERT", new, guard)
        yield Trigger(
            f"{PREFIX}guard_update", table, "AFTER UPDATE", f"{old} NEW TABLE AS new_rows", guard
        )
        yield Trigger(f"{PREFIX}guard_delete", table, "AFTER DELETE", old, guard)
        yield Trigger(f"{PREFIX}guard_truncate", table, "BEFORE TRUNCATE", "", guard)
    yield from _reference_triggers(references(tables))


def expected(tables: set[str]) -> list[Trigger]:
    return [trigger for trigger in triggers(tables) if trigger.table in tables]


def install(connection: BaseDatabaseWrapper, tables: set[str]) -> None:
    wanted = expected(tables)
    names = {(t.table, t.name) for t in wanted}
    with connection.cursor() as cursor:
        for name, body in functions(tables).items():
            # A plan made while the tables are empty is kept for the session: it must be one that
            # still serves when they are full.
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
                f"SET enable_seqscan = off SET jit = off AS $body${body}$body$"
            )
        for table, name, *_rest in _present(connection):
            if name.startswith(PREFIX) and (table, name) not in names:
                cursor.execute(f'DROP TRIGGER "{name}" ON "{table}"')
        for trigger in wanted:
            cursor.execute(trigger.sql)
            cursor.execute(f'ALTER TABLE "{trigger.table}" ENABLE ALWAYS TRIGGER "{trigger.name}"')


def step_aside(connection: BaseDatabaseWrapper) -> None:
    """Nothing: PostgreSQL alters tables in place, under their triggers."""


def _present(connection: BaseDatabaseWrapper) -> list[tuple[str, str, str, str, str]]:
    """(table, trigger, enabled, function, body) of the triggers in the current schema."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, t.tgname, t.tgenabled::text, p.proname, p.prosrc "
            "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
        )
        return list(cursor.fetchall())


def faults(connection: BaseDatabaseWrapper, tables: set[str]) -> list[tuple[str, str]]:
    bodies = functions(tables)
    present = {(table, name): rest for table, name, *rest in _present(connection)}
    found = []
    for trigger in expected(tables):
        state = present.get((trigger.table, trigger.name))
        function = trigger.call.partition("(")[0]
        if state is None:
            found.append((trigger.table, f"trigger {trigger.name} is missing"))
        elif state[0] != "A":
            found.append((trigger.table, f"trigger {trigger.name} is switched off ({state[0]})"))
        elif state[1] != function or state[2] != bodies[function]:
            found.append((trigger.table, f"trigger {trigger.name} was altered"))
    return found
