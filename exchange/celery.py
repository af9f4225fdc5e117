"""Sweeps: periodic tasks without arguments that find rows by state and call one service for each."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange.settings")

app = Celery("causeway")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def same_venue(**_signal: Any) -> None:
    """A worker of another venue kind than the database's does not begin."""
    from exchange.gate import services as gate  # the apps are loaded only now

    gate.refuse_another_venue()
