"""Deposits: their coin, statuses and readings; addresses that all are shown, and what customers announce."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):

    dependencies = [
        ('gate', '0002_deposits'),
        ('ledger', '0006_proof'),
        ('markets', '0001_initial'),
        ('office', '0002_approval_outcome'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DepositClaim',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.DecimalField(decimal_places=18, help_text='What the customer expects; nothing is ever decided by it.', max_digits=38)),
                ('tx_id', models.CharField(max_length=200)),
                ('from_address', models.CharField(blank=True, max_length=200)),
                ('statement', models.TextField(blank=True, max_length=2000)),
                ('proof', models.CharField(blank=True, help_text="The file's name among the documents.", max_length=64)),
                ('proof_type', models.CharField(blank=True, max_length=32)),
                ('status', models.CharField(choices=[('OPEN', 'waiting'), ('ACCEPTED', 'accepted'), ('REFUSED', 'refused'), ('CANCELED', 'canceled')], default='OPEN', max_length=8)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('decided_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'announced deposit',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='DepositReading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tried_at', models.DateTimeField(null=True)),
                ('read_to', models.DateTimeField(help_text='Everything up to here was read without a gap.', null=True)),
                ('wide_at', models.DateTimeField(help_text='Last time everything was read that the venue still shows.', null=True)),
            ],
        ),
        migrations.AlterModelOptions(
            name='deposit',
            options={'ordering': ['-id'], 'verbose_name': 'deposit'},
        ),
        migrations.AlterModelOptions(
            name='depositaddress',
            options={'verbose_name': 'deposit address', 'verbose_name_plural': 'deposit addresses'},
        ),
        migrations.AddField(
            model_name='deposit',
            name='changed_at',
            field=models.DateTimeField(default=django.utils.timezone.now, help_text='When the latest change was read at the venue.'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='deposit',
            name='coin',
            field=models.CharField(default='x', help_text='What the venue calls the asset.', max_length=32),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='deposit',
            name='correction',
            field=models.OneToOneField(help_text='What four eyes booked afterwards.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.transfer'),
        ),
        migrations.AddField(
            model_name='deposit',
            name='inserted_at',
            field=models.DateTimeField(default=django.utils.timezone.now, help_text="The venue's time of its record."),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='deposit',
            name='is_internal',
            field=models.BooleanField(default=False, help_text='From another account at the venue.'),
        ),
        migrations.AddField(
            model_name='deposit',
            name='missing_reads',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='deposit',
            name='missing_since',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='deposit',
            name='remainder',
            field=models.DecimalField(decimal_places=18, default=0, help_text='Finer than the books keep: it stays at the venue.', max_digits=38),
        ),
        migrations.AddField(
            model_name='deposit',
            name='request',
            field=models.ForeignKey(help_text='What a second person is asked.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='office.approval'),
        ),
        migrations.AddField(
            model_name='deposit',
            name='reversed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='deposit',
            name='settled_at',
            field=models.DateTimeField(help_text='When four eyes ended it.', null=True),
        ),
        migrations.AddField(
            model_name='deposit',
            name='sweep_round',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='deposit',
            name='sweep_tried_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='deposit',
            name='unlock_confirmations',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='deposit',
            name='unlocked_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='network',
            name='arrival_minutes',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='network',
            name='deposit_min',
            field=models.DecimalField(decimal_places=18, default=0, max_digits=38),
        ),
        migrations.AlterField(
            model_name='deposit',
            name='asset',
            field=models.ForeignKey(help_text='Empty until it is listed.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='markets.asset'),
        ),
        migrations.AlterField(
            model_name='deposit',
            name='status',
            field=models.CharField(choices=[('SEEN', 'waiting for confirmations'), ('HELD_UP', 'held up at the venue'), ('CHECKING', 'being checked'), ('UNLISTED', 'kept until the asset is listed'), ('LOCKED', 'credited, cannot leave yet'), ('CREDITED', 'credited'), ('REJECTED', 'rejected by the venue'), ('GONE', 'no longer known to the venue'), ('DUST', 'too small to be booked'), ('UNATTRIBUTED', 'waiting for staff'), ('RETURNED', 'sent back'), ('KEPT', 'kept by the house'), ('REVERSED', 'taken back, in review'), ('TAKEN_BACK', 'taken back')], default='SEEN', max_length=12),
        ),
        migrations.AlterField(
            model_name='depositaddress',
            name='user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deposit_addresses', to=settings.AUTH_USER_MODEL),
        ),
        migrations.RunSQL(
            sql=(SQL / "deposits.sql").read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop
        ),
        migrations.AddIndex(
            model_name='deposit',
            index=models.Index(django.db.models.functions.text.Upper('tx_id'), name='deposit_by_transaction'),
        ),
        migrations.AddIndex(
            model_name='deposit',
            index=models.Index(condition=models.Q(('status__in', ['LOCKED', 'CREDITED']), ('sub_account__isnull', False), ('swept_at__isnull', True)), fields=['id'], name='deposit_to_be_swept'),
        ),
        migrations.AddConstraint(
            model_name='deposit',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('remainder__gte', 0), ('remainder__lte', models.F('amount'))), name='deposit_amount_above_zero'),
        ),
        migrations.AddConstraint(
            model_name='deposit',
            constraint=models.CheckConstraint(condition=models.Q(('asset__isnull', True), ('asset', models.F('coin')), _connector='OR'), name='deposit_asset_is_its_coin'),
        ),
        migrations.AddConstraint(
            model_name='deposit',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['SEEN', 'HELD_UP', 'CHECKING', 'UNLISTED', 'REJECTED', 'GONE', 'DUST']), ('transfer__isnull', False), _connector='XOR'), name='deposit_booked_has_a_transfer'),
        ),
        migrations.AddConstraint(
            model_name='deposit',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['LOCKED', 'CREDITED']), _negated=True), ('user__isnull', False), _connector='OR'), name='deposit_credited_has_an_owner'),
        ),
        migrations.AddConstraint(
            model_name='deposit',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['UNATTRIBUTED', 'RETURNED', 'KEPT']), _negated=True), ('user__isnull', True), _connector='OR'), name='deposit_in_suspense_has_none'),
        ),
        migrations.AddConstraint(
            model_name='depositaddress',
            constraint=models.UniqueConstraint(condition=models.Q(('user__isnull', True)), fields=('network',), name='one_shared_address_a_network'),
        ),
        migrations.AddConstraint(
            model_name='depositaddress',
            constraint=models.CheckConstraint(condition=models.Q(('user__isnull', False), ('sub_account__isnull', True), _connector='OR'), name='shared_address_is_of_no_sub_account'),
        ),
        migrations.AddField(
            model_name='depositclaim',
            name='decided_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='depositclaim',
            name='deposit',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='claims', to='ledger.deposit'),
        ),
        migrations.AddField(
            model_name='depositclaim',
            name='network',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.network'),
        ),
        migrations.AddField(
            model_name='depositclaim',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deposit_claims', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='depositreading',
            name='sub_account',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.subaccount'),
        ),
        migrations.AddField(
            model_name='depositreading',
            name='venue_account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='gate.venueaccount'),
        ),
        migrations.AddIndex(
            model_name='depositclaim',
            index=models.Index(django.db.models.functions.text.Upper('tx_id'), name='claim_by_transaction'),
        ),
        migrations.AddConstraint(
            model_name='depositclaim',
            constraint=models.UniqueConstraint(models.F('user'), models.F('network'), django.db.models.functions.text.Upper('tx_id'), models.F('amount'), condition=models.Q(('status', 'OPEN')), name='one_open_claim_of_a_kind'),
        ),
        migrations.AddConstraint(
            model_name='depositclaim',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'ACCEPTED')), fields=('deposit',), name='one_accepted_claim_a_deposit'),
        ),
        migrations.AddConstraint(
            model_name='depositclaim',
            constraint=models.CheckConstraint(condition=models.Q(('status', 'ACCEPTED'), ('deposit__isnull', True), _connector='XOR'), name='claim_accepted_has_a_deposit'),
        ),
        migrations.AddConstraint(
            model_name='depositclaim',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['OPEN', 'CANCELED']), ('decided_at__isnull', False), _connector='OR'), name='claim_decided_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='depositclaim',
            constraint=models.CheckConstraint(condition=models.Q(('decided_by__isnull', True), models.Q(('decided_by', models.F('user')), _negated=True), _connector='OR'), name='claim_decided_by_another_person'),
        ),
        migrations.AddConstraint(
            model_name='depositclaim',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='claim_amount_above_zero'),
        ),
        migrations.AddConstraint(
            model_name='depositreading',
            constraint=models.UniqueConstraint(fields=('venue_account', 'sub_account'), name='one_deposit_reading_an_account', nulls_distinct=False),
        ),
    ]
