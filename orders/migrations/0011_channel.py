"""By which way an order came in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0010_recorder"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="channel",
            field=models.CharField(
                choices=[("SITE", "website"), ("API", "API")], default="SITE", max_length=4
            ),
        ),
    ]
