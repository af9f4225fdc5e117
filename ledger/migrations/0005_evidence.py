"""Blocks that seal transfers in a chain, and snapshots of the house's accounts."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import PROTECT, Q

from ledger.models.fields import Xid8Field

SQL = Path(__file__).resolve().parent.parent / "sql"
AMOUNT = {"max_digits": 38, "decimal_places": 18}


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_reconciling")]
    operations = [
        migrations.CreateModel(
            "Seal",
            [
                ("number", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="block")),
                ("previous_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
                ("root", models.CharField(max_length=64, help_text="Merkle root of the transfers.")),
                (
                    "horizon",
                    Xid8Field(
                        help_text="The first transaction that is not in this block or an earlier one."
                    ),
                ),
                ("transfers", models.PositiveIntegerField()),
                ("created_at", models.DateTimeField(verbose_name="sealed at")),
                (
                    "exported_at",
                    models.DateTimeField(null=True, help_text="When it was written to the file of seals."),
                ),
            ],
            {
                "ordering": ["-number"],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(number__gte=1, transfers__gte=1), name="seal_counts_from_one"
                    ),
                    models.UniqueConstraint(fields=["previous_hash"], name="chain_does_not_fork"),
                ],
                "indexes": [
                    models.Index(
                        fields=["number"], condition=Q(exported_at__isnull=True), name="seal_not_exported"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "SealedTransfer",
            [
                (
                    "transfer",
                    models.OneToOneField(
                        "ledger.transfer",
                        PROTECT,
                        db_constraint=False,
                        primary_key=True,
                        related_name="sealed",
                        serialize=False,
                    ),
                ),
                (
                    "seal",
                    models.ForeignKey("ledger.seal", PROTECT, db_index=False, related_name="members"),
                ),
                ("position", models.PositiveIntegerField()),
                ("leaf", models.BinaryField(max_length=32)),
            ],
            {
                "constraints": [
                    models.UniqueConstraint(
                        fields=["seal", "position"], name="one_transfer_a_place_in_a_block"
                    ),
                    models.CheckConstraint(condition=Q(position__gte=1), name="places_count_from_one"),
                ]
            },
        ),
        migrations.CreateModel(
            "Snapshot",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "account",
                    models.ForeignKey("ledger.account", PROTECT, db_index=False, related_name="snapshots"),
                ),
                ("horizon", Xid8Field()),
                ("amount", models.DecimalField(**AMOUNT)),
                ("created_at", models.DateTimeField()),
            ],
            {
                "constraints": [
                    models.UniqueConstraint(fields=["account", "horizon"], name="one_snapshot_a_horizon")
                ]
            },
        ),
        migrations.RunSQL(
            sql=(SQL / "evidence.sql").read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop
        ),
    ]
