"""A use case's decisions by when they were made, from an index alone."""

from typing import Any

import django.db.models.functions.comparison
from django.db import migrations, models

# An index stands for its rows once a vacuum has seen their pages: after ten thousand new decisions,
# not after a fifth of all.
SOON = "ALTER TABLE decisions_decision SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000)"
DEFAULT = "ALTER TABLE decisions_decision RESET (autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold)"


def vacuum_soon(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(SOON)


def vacuum_as_others(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DEFAULT)


class Migration(migrations.Migration):
    dependencies = [
        ("decisions", "0007_subject_by_hash"),
        ("policies", "0001_initial"),
        ("registry", "0003_bias_audit_and_hasty"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(models.F('use_case'), django.db.models.functions.comparison.Coalesce('decided_at', 'created_at'), models.F('id'), include=('decided_at', 'created_at', 'external_id', 'model_version', 'label', 'confidence', 'amount', 'lane', 'status'), name='decision_days'),
        ),
        migrations.RunPython(vacuum_soon, vacuum_as_others),
    ]
