"""What the monitor shows, from an index of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('decisions', '0008_days_of_a_use_case'),
        ('policies', '0001_initial'),
        ('policies', '0001_initial'),
        ('registry', '0003_bias_audit_and_hasty'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='decision',
            index=models.Index(condition=models.Q(('lane', 'supervised'), ('past', False), ('status', 'released')), fields=['use_case', 'id'], include=('policy', 'routed_at', 'after_review'), name='decision_supervised'),
        ),
    ]
