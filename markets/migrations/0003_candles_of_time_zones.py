from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0002_catalogue_and_fees'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='candle',
            name='one_candle_a_bucket',
        ),
        migrations.AddField(
            model_name='candle',
            name='is_first',
            field=models.BooleanField(default=False, help_text='The venue has none before it.'),
        ),
        migrations.AddField(
            model_name='candle',
            name='seen_at',
            field=models.DateTimeField(help_text='When it was told to be so.', null=True),
        ),
        migrations.AddField(
            model_name='candle',
            name='zone',
            field=models.SmallIntegerField(default=0, help_text='Minutes east of UTC in which its bounds are even.'),
        ),
        migrations.AddConstraint(
            model_name='candle',
            constraint=models.UniqueConstraint(fields=('market', 'interval', 'zone', 'open_at'), name='one_candle_a_bucket'),
        ),
    ]
