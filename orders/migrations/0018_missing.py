from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0017_amend_asked_at")]

    operations = [
        migrations.AddField(
            model_name="venueorder",
            name="missing_asks",
            field=models.PositiveIntegerField(
                default=0,
                help_text="How often, at intervals, the venue said that it does not know what it had.",
            ),
        ),
        migrations.AddField(
            model_name="venueorder",
            name="missing_at",
            field=models.DateTimeField(help_text="When it said so last, of those.", null=True),
        ),
    ]
