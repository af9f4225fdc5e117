from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0003_candles_of_time_zones'),
    ]

    operations = [
        migrations.AddField(
            model_name='candle',
            name='follows_at',
            field=models.DateTimeField(help_text='When the one before it opened, where the venue has a hole between.', null=True),
        ),
    ]
