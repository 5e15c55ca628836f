"""After a large import the pending list gives its pages back.

Its last pages keep some dead entries, too few for a vacuum to clean the index for them; and a list of
a few records that stands behind a hundred megabytes of free pages is read as slowly as a full one.
"""

from typing import Any

from django.db import migrations

CLEANED = "ALTER TABLE audit_pendingrecord SET (vacuum_index_cleanup = on)"
DEFAULT = "ALTER TABLE audit_pendingrecord RESET (vacuum_index_cleanup)"


def always_clean(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CLEANED)


def clean_as_others(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DEFAULT)


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_who_looked")]

    operations = [migrations.RunPython(always_clean, clean_as_others)]
