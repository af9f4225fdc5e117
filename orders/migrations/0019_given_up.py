from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0018_missing")]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("reason_code__in", ("never_arrived", "lost_at_venue"))),
                fields=["finished_at"],
                name="order_given_up",
            ),
        ),
    ]
