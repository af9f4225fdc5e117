"""Sweeps: periodic tasks without arguments that find rows by state and call one service for each."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange.settings")

app = Celery("causeway")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def fitting_database(**_signal: Any) -> None:
    """Neither a worker nor the beat begins on a database that is not for it."""
    from exchange.gate import services as gate  # the apps are loaded only now

    gate.refuse_unfit_database()
