"""Withdrawals that are confirmed by mail and sealed, approvals by people, an address book, and the law of their steps."""

from pathlib import Path

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"

class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('gate', '0001_initial'),
        ('ledger', '0007_deposits'),
        ('markets', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SavedAddress',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=200)),
                ('tag', models.CharField(blank=True, max_length=100)),
                ('label', models.CharField(max_length=40)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('usable_at', models.DateTimeField(help_text="From then on it counts where only the book's addresses do.")),
                ('removed_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'saved address',
                'verbose_name_plural': 'saved addresses',
                'ordering': ['label', 'id'],
            },
        ),
        migrations.CreateModel(
            name='WithdrawalApproval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name='WithdrawalTerms',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='withdrawal_terms', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('is_book_only', models.BooleanField(default=False, help_text='Money goes to addresses of the book alone.')),
                ('book_only_until', models.DateTimeField(help_text='Switched off, and in force until then.', null=True)),
            ],
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='beneficiary',
            field=models.TextField(blank=True, help_text='Who receives it, encrypted.'),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='confirm_by',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='confirmed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='moved_at',
            field=models.DateTimeField(default=django.utils.timezone.now, help_text='When it came into its state.'),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='needs',
            field=models.PositiveSmallIntegerField(default=1, help_text='How many people must approve it.'),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='not_before',
            field=models.DateTimeField(help_text='Is not sent earlier.', null=True),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='reasons',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='seal',
            field=models.CharField(blank=True, help_text='Signed at the confirmation; asked again before sending.', max_length=64),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='token_digest',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='value',
            field=models.DecimalField(decimal_places=18, default=0, help_text='Worth in the reference asset when it was asked for.', max_digits=38),
        ),
        migrations.AlterField(
            model_name='withdrawal',
            name='status',
            field=models.CharField(choices=[('AWAITING', 'waiting for your confirmation'), ('REQUESTED', 'waiting for approval'), ('APPROVED', 'approved'), ('SENDING', 'being sent'), ('SENT', 'sent, waiting for the network'), ('STOPPED', 'stopped, being looked into'), ('COMPLETED', 'completed'), ('FAILED', 'failed, refunded'), ('REFUSED', 'refused, refunded'), ('CANCELED', 'canceled, refunded'), ('EXPIRED', 'not confirmed in time, refunded')], default='AWAITING', max_length=9),
        ),
        migrations.AddIndex(
            model_name='withdrawal',
            index=models.Index(fields=['user', 'requested_at'], name='ledger_with_user_id_9d5c03_idx'),
        ),
        migrations.AddIndex(
            model_name='withdrawal',
            index=models.Index(fields=['status', 'id'], name='ledger_with_status_70fd12_idx'),
        ),
        migrations.AlterField(
            model_name='withdrawal',
            name='requested_at',
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        # What was asked for before there were confirmations counts as confirmed, but has no seal: it is not sent.
        migrations.RunSQL(
            "UPDATE ledger_withdrawal SET confirmed_at = requested_at, moved_at = requested_at",
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name='withdrawal',
            constraint=models.UniqueConstraint(fields=('id', 'user'), name='withdrawal_and_its_customer'),
        ),
        migrations.AddConstraint(
            model_name='withdrawal',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['AWAITING', 'CANCELED', 'EXPIRED', 'REFUSED']), ('confirmed_at__isnull', False), _connector='OR'), name='only_a_confirmed_withdrawal_goes_on'),
        ),
        migrations.AddConstraint(
            model_name='withdrawal',
            constraint=models.CheckConstraint(condition=models.Q(('needs__lte', 2), ('value__gte', 0)), name='withdrawal_needs_at_most_two_people'),
        ),
        migrations.AddField(
            model_name='savedaddress',
            name='network',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.network'),
        ),
        migrations.AddField(
            model_name='savedaddress',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='saved_addresses', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='withdrawalapproval',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='withdrawalapproval',
            name='customer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='withdrawalapproval',
            name='withdrawal',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='ledger.withdrawal'),
        ),
        migrations.AddConstraint(
            model_name='savedaddress',
            constraint=models.UniqueConstraint(condition=models.Q(('removed_at__isnull', True)), fields=('user', 'network', 'address', 'tag'), name='one_entry_an_address'),
        ),
        migrations.AddConstraint(
            model_name='savedaddress',
            constraint=models.UniqueConstraint(condition=models.Q(('removed_at__isnull', True)), fields=('user', 'network', 'label'), name='one_entry_a_label'),
        ),
        migrations.AddConstraint(
            model_name='withdrawalapproval',
            constraint=models.UniqueConstraint(fields=('withdrawal', 'by'), name='one_approval_a_person'),
        ),
        migrations.AddConstraint(
            model_name='withdrawalapproval',
            constraint=models.CheckConstraint(condition=models.Q(('by', models.F('customer')), _negated=True), name='nobody_approves_their_own'),
        ),
        migrations.RunSQL(
            sql=(SQL / "withdrawals.sql").read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop
        ),
    ]
