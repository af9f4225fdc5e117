"""Sweeps of the catalogue."""

from celery import shared_task

from markets import services


@shared_task
def synchronise_catalogue() -> None:
    services.synchronise_catalogue()
