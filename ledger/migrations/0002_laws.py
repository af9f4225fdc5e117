"""The laws of the books and the functions that alone write them."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("office", "0001_initial"), ("markets", "0001_initial")]
    operations = [
        migrations.RunSQL(
            sql=(SQL / name).read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop, elidable=False
        )
        for name in ("laws.sql", "post.sql")
    ]
