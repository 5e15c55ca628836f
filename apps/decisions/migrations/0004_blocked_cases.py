from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("decisions", "0003_past_cases")]

    operations = [
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(
                condition=models.Q(("lane", "blocked"), ("status", "withheld")),
                fields=["use_case", "id"],
                name="decision_blocked",
            ),
        ),
    ]
