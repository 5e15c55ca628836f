"""Locks of those who write decisions: on the stop while it is read, and among one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, connection

from apps.common.columns import Reading, Rows

DEADLOCK, UNIQUE_VIOLATION = "40P01", "23505"
MANY_CASES = 0x6869746C63617365  # the advisory lock's number


def _suffix() -> str:
    # SQLite has one writer at a time and this transaction is it: nothing can change meanwhile.
    return " FOR SHARE" if connection.vendor == "postgresql" else ""


def wait_for_turn(*, alone: bool) -> None:
    """The first lock of a transaction that writes many cases, held until it ends.

    Two that hold the same cases in another order may each wait for the other. Ordering the cases
    of a whole batch would mean holding all of it in memory. So those who write for the first time
    share this lock, and who had to give way comes back ``alone``: it waits until those who are at
    it have ended, later ones wait behind it, and it meets nobody a second time. A single case
    needs no turn: who waits for it holds no other. The same trip turns compiling off.
    """
    if connection.vendor == "postgresql":
        mode = "" if alone else "_shared"
        with connection.cursor() as cursor:
            # The server would take a third of a second to compile a query of five thousand keys,
            # which then runs for a hundredth.
            cursor.execute(
                f"SELECT pg_advisory_xact_lock{mode}(%s), set_config('jit', 'off', true)",
                [MANY_CASES],
            )


def gave_way(error: DatabaseError) -> bool:
    """Whether a transaction failed because it met another that writes the same cases."""
    return getattr(error.__cause__, "sqlstate", "") in {DEADLOCK, UNIQUE_VIOLATION}


def shared_stop(use_case: str, version_ids: Sequence[Any]) -> tuple[str, frozenset[str]]:
    """The use case's lifecycle, and which of the model versions (one or more) are withdrawn, as
    committed now; all of them are held until this transaction ends."""
    return stop_reading(use_case, version_ids).now()


def stop_reading(use_case: str, version_ids: Sequence[Any]) -> Reading[tuple[str, frozenset[str]]]:
    """The same as a query, which may travel behind others."""
    from apps.registry.models import ModelVersion

    field = ModelVersion._meta.pk
    keys = [field.get_db_prep_value(key, connection) for key in version_ids]
    marks = ", ".join(["%s"] * len(keys))

    def stop(rows: Rows) -> tuple[str, frozenset[str]]:
        withdrawn = {str(field.to_python(key)) for _, key, status in rows if status != "active"}
        return str(rows[0][0]), frozenset(withdrawn)

    return Reading(
        "SELECT u.lifecycle, v.id, v.status "  # noqa: S608
        f"FROM registry_usecase u JOIN registry_modelversion v ON v.id IN ({marks}) "
        f"WHERE u.slug = %s ORDER BY v.id{_suffix()}",
        [*keys, use_case],
        stop,
    )
