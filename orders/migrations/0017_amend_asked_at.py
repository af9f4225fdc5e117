from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0016_house_orders")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="amend_asked_at",
            field=models.DateTimeField(
                help_text="It was asked to be made smaller; until it is certain what became of that.", null=True
            ),
        ),
    ]
