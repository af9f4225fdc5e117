"""How deposits to a venue account are told apart."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gate', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='venueaccount',
            options={'verbose_name': 'venue account'},
        ),
        migrations.AddField(
            model_name='venueaccount',
            name='deposit_fallback',
            field=models.CharField(blank=True, choices=[('SUB_ACCOUNT', 'a sub-account and an address for each customer'), ('MEMO', 'a shared address with a memo for each customer'), ('ANNOUNCED', 'the pooled address; deposits are announced and decided by staff')], help_text='Where a network or the venue does not offer the first; empty: deposits are refused there.', max_length=11),
        ),
        migrations.AddField(
            model_name='venueaccount',
            name='deposit_strategy',
            field=models.CharField(choices=[('SUB_ACCOUNT', 'a sub-account and an address for each customer'), ('MEMO', 'a shared address with a memo for each customer'), ('ANNOUNCED', 'the pooled address; deposits are announced and decided by staff')], default='SUB_ACCOUNT', max_length=11),
        ),
        migrations.AddConstraint(
            model_name='venueaccount',
            constraint=models.CheckConstraint(condition=models.Q(('deposit_strategy__in', ('SUB_ACCOUNT', 'MEMO', 'ANNOUNCED')), ('deposit_fallback__in', ['', 'SUB_ACCOUNT', 'MEMO', 'ANNOUNCED'])), name='deposit_strategies_are_known'),
        ),
        migrations.AddConstraint(
            model_name='venueaccount',
            constraint=models.CheckConstraint(condition=models.Q(('deposit_fallback', models.F('deposit_strategy')), _negated=True), name='deposit_fallback_is_another_strategy'),
        ),
    ]
