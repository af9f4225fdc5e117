import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='market',
            name='abilities',
            field=models.JSONField(blank=True, default=list, help_text='What else the venue can do in it.'),
        ),
        migrations.AddField(
            model_name='market',
            name='default_stp_mode',
            field=models.CharField(blank=True, max_length=32),
        ),
        migrations.AddField(
            model_name='market',
            name='own_fee_bps',
            field=models.PositiveSmallIntegerField(blank=True, help_text="Basis points of what the customer receives; empty: the platform's fee.", null=True, validators=[django.core.validators.MaxValueValidator(1000)], verbose_name='fee of its own'),
        ),
        migrations.AddField(
            model_name='market',
            name='permission_sets',
            field=models.JSONField(blank=True, default=list, help_text='An account needs one permission of each set.'),
        ),
        migrations.AddField(
            model_name='market',
            name='stp_modes',
            field=models.JSONField(blank=True, default=list, help_text='Self-trade prevention.'),
        ),
        migrations.AddConstraint(
            model_name='market',
            constraint=models.CheckConstraint(condition=models.Q(('own_fee_bps__isnull', True), ('own_fee_bps__lte', 1000), _connector='OR'), name='market_fee_at_most_a_tenth'),
        ),
    ]
