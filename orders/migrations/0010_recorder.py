"""The flight recorder of orders; what it has written nobody changes."""

from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0009_decision"),
        ("ledger", "0002_laws"),
    ]

    operations = [
        migrations.CreateModel(
            name="Inquiry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(choices=[("QUERY", "question"), ("CANCEL", "cancel")], max_length=6),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("UNANSWERED", "no answer"),
                            ("REFUSED", "refused"),
                            ("NOT_FOUND", "not known there"),
                            ("UNCHANGED", "nothing new"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "after_event",
                    models.BigIntegerField(help_text="The order's last event before; 0 for none."),
                ),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("count", models.PositiveIntegerField(default=1)),
                (
                    "reason",
                    models.CharField(blank=True, help_text="What was said the last time.", max_length=200),
                ),
                (
                    "venue_order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="inquiries",
                        to="orders.venueorder",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "inquiries",
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("venue_order", "kind", "outcome", "after_event"),
                        name="one_inquiry_until_an_event",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("REPORT", "report"),
                            ("REFUSED", "refusal"),
                            ("NOT_SENT", "not sent"),
                            ("UNKNOWN", "no answer"),
                            ("ASKED", "request"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("answer", "answer to the order"),
                            ("stream", "user data stream"),
                            ("reconciliation", "answer to a question"),
                            ("cancel", "answer to a cancel"),
                            ("amend", "answer to a smaller size"),
                            ("replace", "answer to a replacement"),
                        ],
                        max_length=14,
                    ),
                ),
                (
                    "effect",
                    models.CharField(
                        blank=True,
                        choices=[("CHANGED", "changed the books"), ("LATE", "traded after its end")],
                        max_length=7,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        blank=True, help_text="As the venue says it, in our words.", max_length=24
                    ),
                ),
                ("quantity", models.DecimalField(decimal_places=18, max_digits=38, null=True)),
                ("cumulative_quantity", models.DecimalField(decimal_places=18, max_digits=38, null=True)),
                ("cumulative_quote", models.DecimalField(decimal_places=18, max_digits=38, null=True)),
                ("venue_time_ms", models.BigIntegerField(null=True)),
                (
                    "trades",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=24),
                        default=list,
                        help_text="The venue's numbers of the trades told of; of an allocation after an a.",
                        size=None,
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=40)),
                ("message", models.CharField(blank=True, max_length=200)),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="orders.order",
                    ),
                ),
                (
                    "venue_order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="orders.venueorder",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "indexes": [models.Index(fields=["order", "id"], name="order_event_of_order")],
            },
        ),
        migrations.RunSQL(
            sql=(SQL / "recorder.sql").read_text(encoding="utf-8"), reverse_sql=migrations.RunSQL.noop
        ),
    ]
