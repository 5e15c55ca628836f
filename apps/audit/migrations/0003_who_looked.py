"""Who looked at one decision is found by an index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_lighter_sealing")]

    operations = [
        migrations.AddIndex(
            model_name="accessevent",
            index=models.Index(
                condition=models.Q(("target__gt", "")),
                fields=["target"],
                name="access_event_target",
            ),
        ),
    ]
