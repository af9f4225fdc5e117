from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0004_holes_of_the_venue'),
    ]

    operations = [
        migrations.CreateModel(
            name='VenueLimits',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rate_limits', models.JSONField(default=list)),
                ('filters', models.JSONField(default=list)),
            ],
        ),
    ]
