"""Orders and fills of a day are found without reading all there ever were."""

import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("gate", "0002_deposits"),
        ("markets", "0001_initial"),
        ("orders", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="fill",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["at"], name="fill_by_time", pages_per_range=32
            ),
        ),
        migrations.AddIndex(
            model_name="venueorder",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["created_at"], name="venue_order_by_time", pages_per_range=32
            ),
        ),
    ]
