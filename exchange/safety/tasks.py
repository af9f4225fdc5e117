"""Sweeps of the safety devices."""

from celery import shared_task

from exchange.safety import services


@shared_task
def finish_panics() -> None:
    services.finish_panics()


@shared_task
def fire_countdowns() -> None:
    services.fire_countdowns()
