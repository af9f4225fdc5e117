"""A withdrawal that waits for people can be stopped too."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_withdrawals")]

    operations = [
        migrations.RunSQL(
            sql=(SQL / "steps.sql").read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop
        ),
    ]
