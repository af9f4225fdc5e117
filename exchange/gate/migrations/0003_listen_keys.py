"""The key by which an account is heard where there still are any, and why its stream is down."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gate', '0002_deposits'),
    ]

    operations = [
        migrations.AddField(
            model_name='venueaccount',
            name='listen_key',
            field=models.CharField(blank=True, default='', max_length=128),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='venueaccount',
            name='listen_key_renewed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='venueaccount',
            name='stream_alarmed_at',
            field=models.DateTimeField(help_text='When staff were last told that something is wrong with it.', null=True),
        ),
        migrations.AddField(
            model_name='venueaccount',
            name='stream_reason',
            field=models.CharField(blank=True, default='', help_text='Why it is down.', max_length=200),
            preserve_default=False,
        ),
    ]
