"""What the venue wants to hear nothing from, and the limits that it tells of."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gate', '0004_switches'),
    ]

    operations = [
        migrations.CreateModel(
            name='Ban',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(help_text='Whose: egress:… or account:…', max_length=64)),
                ('http_status', models.PositiveSmallIntegerField()),
                ('until', models.DateTimeField()),
                ('odd', models.CharField(blank=True, help_text='A time to wait that was odd, as it was told.', max_length=40)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['until'], name='ban_until')],
            },
        ),
        migrations.CreateModel(
            name='VenueLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('limiter', models.CharField(max_length=32)),
                ('seconds', models.PositiveIntegerField()),
                ('most', models.PositiveIntegerField()),
            ],
            options={
                'verbose_name': 'limit of the venue',
                'verbose_name_plural': 'limits of the venue',
                'ordering': ['limiter', 'seconds'],
                'constraints': [models.UniqueConstraint(fields=('limiter', 'seconds'), name='one_venue_limit_of_a_kind')],
            },
        ),
    ]
