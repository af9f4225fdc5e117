"""Balances at any moment; proofs of what customers are owed, which nobody can change once they are published."""

from pathlib import Path

from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"


def sql(name: str) -> migrations.RunSQL:
    return migrations.RunSQL((SQL / name).read_text(encoding="utf-8"), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_evidence"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        sql("history.sql"),
        migrations.CreateModel(
            name='Proof',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveBigIntegerField(unique=True)),
                ('taken_at', models.DateTimeField(help_text='The moment of the balances.')),
                ('root', models.CharField(max_length=64)),
                ('totals', models.JSONField(help_text='What all customers together were owed, by asset.')),
                ('customers', models.PositiveIntegerField()),
                ('seal_number', models.PositiveBigIntegerField(help_text='The latest sealed block of the books then.', null=True)),
                ('seal_hash', models.CharField(blank=True, max_length=64)),
                ('published_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('number__gt', 0), ('customers__gt', 0)), name='proof_is_of_somebody'), models.CheckConstraint(condition=models.Q(('root__regex', '^[0-9a-f]{64}$')), name='proof_root_is_a_hash'), models.CheckConstraint(condition=models.Q(models.Q(('seal_hash', ''), ('seal_number__isnull', True)), models.Q(('seal_hash__regex', '^[0-9a-f]{64}$'), ('seal_number__isnull', False)), _connector='OR'), name='proof_names_a_whole_seal')],
            },
        ),
        migrations.CreateModel(
            name='ProofLeaf',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('nonce', models.BinaryField(max_length=32)),
                ('proof', models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name='leaves', to='ledger.proof')),
                ('user', models.ForeignKey(on_delete=models.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('proof', 'user'), name='one_leaf_a_customer'), models.UniqueConstraint(fields=('proof', 'position'), name='one_leaf_a_position')],
            },
        ),
        migrations.CreateModel(
            name='ProofLevel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('level', models.PositiveSmallIntegerField()),
                ('records', models.BinaryField()),
                ('proof', models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name='levels', to='ledger.proof')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('proof', 'level'), name='one_row_a_level')],
            },
        ),
        sql("proof.sql"),
    ]
