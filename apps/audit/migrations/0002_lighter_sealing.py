"""Sealing writes less: block ranges for the time of a leaf, and a pending list that stays small."""

from typing import Any

import django.contrib.postgres.indexes
from django.db import migrations

# The list is emptied as fast as it fills: dead rows are a matter of its traffic, not of its size.
VACUUM = "ALTER TABLE audit_pendingrecord SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000)"
DEFAULT = "ALTER TABLE audit_pendingrecord RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)"


def vacuum_by_traffic(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(VACUUM)


def vacuum_as_others(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DEFAULT)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RemoveIndex(model_name="leaf", name="leaf_at"),
        migrations.AddIndex(
            model_name="leaf",
            index=django.contrib.postgres.indexes.BrinIndex(fields=["at"], name="leaf_at_brin"),
        ),
        migrations.RunPython(vacuum_by_traffic, vacuum_as_others),
    ]
