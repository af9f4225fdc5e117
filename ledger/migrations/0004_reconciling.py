"""Reconciliation as rows, differences with an owner, and the law that none is deleted or closed by one person."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):

    dependencies = [
        ('gate', '0001_initial'),
        ('ledger', '0003_codes'),
        ('markets', '0001_initial'),
        ('office', '0002_approval_outcome'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='account',
            options={'permissions': [('see_treasury', 'May see the treasury and the reports'), ('download_reports', 'May download reports'), ('ask_adjustment', 'May ask for an adjustment')]},
        ),
        migrations.AlterModelOptions(
            name='ledgerexception',
            options={'verbose_name': 'difference in the books', 'verbose_name_plural': 'differences in the books'},
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='approval',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='office.approval'),
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='cause',
            field=models.CharField(blank=True, help_text='Probable, by rules.', max_length=300),
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='gone_at',
            field=models.DateTimeField(help_text='The first run that found it no more.', null=True),
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='owner',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='owned_differences', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='place',
            field=models.CharField(blank=True, choices=[('VENUE', 'trading account'), ('CUSTODY', 'sub-accounts')], max_length=8),
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='seen_at',
            field=models.DateTimeField(help_text='The latest run that still found it.', null=True),
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='stops_asset',
            field=models.BooleanField(default=False, help_text='No new orders and withdrawals of the asset.'),
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='suggestion',
            field=models.JSONField(default=list, help_text='Lines that would book it to suspense.'),
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='transfer',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.transfer'),
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='venue_account',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='gate.venueaccount'),
        ),
        migrations.CreateModel(
            name='HistoryCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('part', models.CharField(max_length=80)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('compared', models.PositiveIntegerField()),
                ('differing', models.PositiveIntegerField()),
                ('venue_account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='gate.venueaccount')),
            ],
            options={
                'ordering': ['-day', 'part'],
            },
        ),
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('is_ok', models.BooleanField(help_text='Nothing differs that is not explained.')),
                ('assets', models.PositiveIntegerField()),
                ('differing', models.PositiveIntegerField()),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('venue_account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='gate.venueaccount')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='ReconciledAsset',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.CharField(choices=[('VENUE', 'trading account'), ('CUSTODY', 'sub-accounts')], max_length=8)),
                ('ours', models.DecimalField(decimal_places=18, max_digits=38)),
                ('free', models.DecimalField(decimal_places=18, max_digits=38)),
                ('locked', models.DecimalField(decimal_places=18, max_digits=38)),
                ('explained', models.DecimalField(decimal_places=18, default=0, max_digits=38)),
                ('difference', models.DecimalField(decimal_places=18, max_digits=38)),
                ('explanations', models.JSONField(default=list)),
                ('asset', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='markets.asset')),
                ('reconciliation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rows', to='ledger.reconciliation')),
            ],
            options={
                'ordering': ['place', 'asset_id'],
            },
        ),
        migrations.AddField(
            model_name='ledgerexception',
            name='reconciliation',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.reconciliation'),
        ),
        migrations.AddIndex(
            model_name='ledgerexception',
            index=models.Index(condition=models.Q(('gone_at__isnull', True), ('resolved_at__isnull', True), ('stops_asset', True)), fields=['asset'], name='exception_stops_an_asset'),
        ),
        migrations.AddConstraint(
            model_name='ledgerexception',
            constraint=models.UniqueConstraint(condition=models.Q(('resolved_at__isnull', True), models.Q(('place', ''), _negated=True)), fields=('venue_account', 'place', 'asset'), name='one_open_difference_an_asset_and_place'),
        ),
        migrations.AddConstraint(
            model_name='ledgerexception',
            constraint=models.CheckConstraint(condition=models.Q(('resolved_at__isnull', True), ('approval__isnull', False), _connector='OR'), name='exception_is_closed_by_an_approval'),
        ),
        migrations.AddConstraint(
            model_name='historycheck',
            constraint=models.UniqueConstraint(fields=('venue_account', 'day', 'part'), name='one_check_of_a_part_a_day'),
        ),
        migrations.AddConstraint(
            model_name='reconciliation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('differing', 0), ('is_ok', True)), models.Q(('differing__gt', 0), ('is_ok', False)), _connector='OR'), name='reconciliation_is_ok_without_differences'),
        ),
        migrations.AddConstraint(
            model_name='reconciledasset',
            constraint=models.UniqueConstraint(fields=('reconciliation', 'place', 'asset'), name='one_row_an_asset_and_place'),
        ),
        migrations.AddConstraint(
            model_name='reconciledasset',
            constraint=models.CheckConstraint(condition=models.Q(('difference', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('free'), '+', models.F('locked')), '-', models.F('ours')), '-', models.F('explained')))), name='difference_is_what_is_not_explained'),
        ),
        migrations.RunSQL(
            sql=(SQL / "reconciling.sql").read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop
        ),
    ]
