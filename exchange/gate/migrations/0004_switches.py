"""What staff have stopped."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gate', '0003_listen_keys'),
        ('markets', '0005_limits_of_the_venue'),
        ('office', '0002_approval_outcome'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Switch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(choices=[('EVERYTHING', 'all new orders'), ('MARKET', 'new orders in one market'), ('SIDE', 'new orders of one side'), ('CUSTOMER', 'new orders of one customer'), ('API', 'orders by the API'), ('CANCEL_ONLY', 'everything but cancels')], max_length=11, verbose_name='what is stopped')),
                ('side', models.CharField(blank=True, choices=[('BUY', 'buy'), ('SELL', 'sell')], max_length=4)),
                ('reason', models.TextField(help_text='For staff; kept on record.')),
                ('public_reason', models.CharField(blank=True, help_text='A sentence that customers read; empty: none.', max_length=200)),
                ('flipped_at', models.DateTimeField(auto_now_add=True)),
                ('released_at', models.DateTimeField(null=True)),
                ('customer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('flipped_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('market', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='markets.market')),
                ('release', models.OneToOneField(help_text='The latest request to release it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='office.approval')),
            ],
            options={
                'verbose_name': 'kill switch',
                'verbose_name_plural': 'kill switches',
                'ordering': ['-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('customer', None), ('market', None), ('scope__in', ['EVERYTHING', 'API']), ('side', '')), models.Q(('customer', None), ('market__isnull', False), ('scope', 'MARKET'), ('side', '')), models.Q(('customer', None), ('scope', 'SIDE'), ('side__in', ['BUY', 'SELL'])), models.Q(('customer__isnull', False), ('market', None), ('scope', 'CUSTOMER'), ('side', '')), models.Q(('customer', None), ('scope', 'CANCEL_ONLY'), ('side', '')), _connector='OR'), name='switch_names_what_it_stops', violation_error_message='Name the market, the side or the customer that is stopped, and nothing besides.'), models.UniqueConstraint(condition=models.Q(('released_at__isnull', True)), fields=('scope', 'market', 'side', 'customer'), name='one_standing_switch_of_a_kind', nulls_distinct=False, violation_error_message='A switch for exactly this stands already.'), models.CheckConstraint(condition=models.Q(('released_at__isnull', True), ('release__isnull', False), _connector='OR'), name='switch_is_released_by_request')],
            },
        ),
    ]
