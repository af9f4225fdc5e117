"""What an order was decided upon, and the hash of what was signed for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0008_open_of_customer"),
    ]

    operations = [
        migrations.AddField(
            model_name="venueorder",
            name="decision",
            field=models.JSONField(help_text="Book and prices as they were when it was decided.", null=True),
        ),
        migrations.AddField(
            model_name="venueorder",
            name="request_hash",
            field=models.CharField(
                blank=True, help_text="SHA-256 of what is signed, without key and signature.", max_length=64
            ),
        ),
    ]
