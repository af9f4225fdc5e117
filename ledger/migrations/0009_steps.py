"""A withdrawal that waits for people can be stopped too; one process at a time asks for a sub-account."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_withdrawals")]

    operations = [
        migrations.AddField(
            model_name="subaccount",
            name="asked_at",
            field=models.DateTimeField(help_text="When the venue was last asked to make it.", null=True),
        ),
        migrations.RunSQL(
            sql=(SQL / "steps.sql").read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop
        ),
    ]
