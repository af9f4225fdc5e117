"""Accounts by name, entries that know their transaction, more kinds of transfer; fewer indexes and foreign keys."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import PROTECT

SQL = Path(__file__).resolve().parent.parent / "sql"
KINDS = [
    ("DEPOSIT", "deposit"),
    ("HOLD", "hold"),
    ("RELEASE", "release"),
    ("FILL", "fill"),
    ("FEE", "fee"),
    ("COMMISSION", "venue commission"),
    ("WITHDRAWAL", "withdrawal"),
    ("SWEEP", "sweep to the trading account"),
    ("CROSS", "trade between two customers"),
    ("DUST", "dust"),
    ("ADJUSTMENT", "adjustment"),
    ("REVERSAL", "reversal"),
]
CODE = {"max_length": 80, "unique": True, "help_text": "type:owner or venue account:asset"}


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_laws")]
    operations = [
        migrations.AddField("account", "code", models.CharField(null=True, **CODE)),
        migrations.AlterField("transfer", "kind", models.CharField(choices=KINDS, max_length=12)),
        migrations.AlterField(
            "transfer",
            "reverses",
            models.ForeignKey(
                db_index=False, null=True, on_delete=PROTECT, related_name="reversals", to="ledger.transfer"
            ),
        ),
        migrations.AlterField(
            "transfer",
            "approval",
            models.ForeignKey(
                db_index=False, null=True, on_delete=PROTECT, related_name="+", to="office.approval"
            ),
        ),
        migrations.AddConstraint(
            "transfer",
            models.UniqueConstraint(
                condition=models.Q(("reverses__isnull", False)),
                fields=("reverses",),
                name="one_reversal_a_transfer",
            ),
        ),
        migrations.AddConstraint(
            "transfer",
            models.UniqueConstraint(
                condition=models.Q(("approval__isnull", False)),
                fields=("approval",),
                name="one_transfer_an_approval",
            ),
        ),
        migrations.AddIndex(
            "transfer", models.Index(fields=["reference"], name="transfer_by_reference")
        ),
        migrations.AddIndex(
            "transfer",
            models.Index(condition=models.Q(("kind", "CROSS")), fields=["id"], name="crossed_transfers"),
        ),
        migrations.AlterField(
            "entry",
            "transfer",
            models.ForeignKey(
                db_constraint=False, on_delete=PROTECT, related_name="entries", to="ledger.transfer"
            ),
        ),
        migrations.AlterField(
            "hold",
            "account",
            models.ForeignKey(
                db_constraint=False, on_delete=PROTECT, related_name="holds", to="ledger.account"
            ),
        ),
        migrations.AlterField(
            "entry",
            "account",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=PROTECT,
                related_name="entries",
                to="ledger.account",
            ),
        ),
        migrations.AlterField(
            "entry",
            "asset",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=PROTECT,
                related_name="+",
                to="markets.asset",
            ),
        ),
        migrations.AlterField(
            "deposit",
            "status",
            models.CharField(
                choices=[
                    ("SEEN", "waiting for confirmations"),
                    ("LOCKED", "credited, cannot leave yet"),
                    ("CREDITED", "credited"),
                    ("REJECTED", "rejected by the venue"),
                    ("UNATTRIBUTED", "waiting for staff"),
                ],
                default="SEEN",
                max_length=12,
            ),
        ),
        migrations.RunSQL(
            sql=(SQL / "codes.sql").read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.AlterField("account", "code", models.CharField(**CODE))]
        ),
    ]
