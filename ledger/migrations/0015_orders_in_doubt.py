from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0014_conversions'),
    ]

    operations = [
        migrations.AlterField(
            model_name='ledgerexception',
            name='source',
            field=models.CharField(choices=[('unattributed deposit', 'unattributed deposit'), ('deposit of an asset that is not listed', 'deposit of an asset that is not listed'), ('deposit that cannot be booked', 'deposit that cannot be booked'), ('odd deposit record', 'odd deposit record'), ('deposit reversed by the venue', 'deposit reversed by the venue'), ('deposit not swept', 'deposit not swept'), ('pattern of the venue not usable', 'pattern of the venue not usable'), ('withdrawal not as it was confirmed', 'withdrawal not as it was confirmed'), ('withdrawal not as it was sent', 'withdrawal not as it was sent'), ('withdrawal waits for the house', 'withdrawal waits for the house'), ('withdrawal overdue', 'withdrawal overdue'), ('withdrawal sent though it was refunded', 'withdrawal sent though it was refunded'), ('withdrawal undone by the venue', 'withdrawal undone by the venue'), ('uncovered fill', 'uncovered fill'), ('fill of an unknown order', 'fill of an unknown order'), ('order the venue does not know', 'order the venue does not know'), ('order without a hold at the venue', 'order without a hold at the venue'), ('the venue and the books differ', 'the venue and the books differ'), ("deposit differs from the venue's", "deposit differs from the venue's"), ('deposit the venue does not show', 'deposit the venue does not show'), ("withdrawal differs from the venue's", "withdrawal differs from the venue's"), ('withdrawal nobody here asked for', 'withdrawal nobody here asked for'), ('withdrawal the venue does not show', 'withdrawal the venue does not show'), ('trade was missing here', 'trade was missing here'), ("trade differs from the venue's", "trade differs from the venue's"), ('trade the venue does not show', 'trade the venue does not show'), ("commission differs from the venue's", "commission differs from the venue's"), ('history not compared', 'history not compared'), ('negative balance', 'negative balance'), ('chain of seals', 'chain of seals'), ('proof not published', 'proof not published')], max_length=40),
        ),
    ]
