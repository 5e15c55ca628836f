"""Shorter block ranges of the ledger's time: a period narrows more, and its cost is told better.

By the usual 128 pages PostgreSQL took a period without a record for more work than all records of a
use case, and walked these.
"""

from typing import Any

from django.db import migrations

SHORT = "ALTER INDEX leaf_at_brin SET (pages_per_range = 32)"
USUAL = "ALTER INDEX leaf_at_brin RESET (pages_per_range)"
AGAIN = "REINDEX INDEX leaf_at_brin"


def shorten(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(SHORT)
        schema_editor.execute(AGAIN)


def as_usual(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(USUAL)
        schema_editor.execute(AGAIN)


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_pending_given_back")]

    operations = [migrations.RunPython(shorten, as_usual)]
