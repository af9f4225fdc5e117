"""Sweeps of the gate."""

from celery import shared_task

from exchange.gate import services


@shared_task
def renew_listen_keys() -> None:
    services.renew_listen_keys()
