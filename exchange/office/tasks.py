"""Sweeps of the office."""

import time

from celery import shared_task
from django.core.cache import cache

from exchange.office import services


@shared_task
def send_notices() -> None:
    services.send_waiting_mail()


@shared_task
def heartbeat() -> None:
    """Shows that beat and worker live; read by /status.json."""
    cache.set("beat:at", int(time.time() * 1000), timeout=None)
