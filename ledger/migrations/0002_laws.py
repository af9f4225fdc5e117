"""The laws of the books. The functions that alone write them come with `prepare`, always in their latest form."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("office", "0001_initial"), ("markets", "0001_initial")]
    operations = [
        migrations.RunSQL(sql=(SQL / "laws.sql").read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop)
    ]
