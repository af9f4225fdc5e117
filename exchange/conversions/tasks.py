"""Sweeps of conversions."""

from celery import shared_task

from exchange.conversions import services


@shared_task
def cover_positions() -> None:
    services.cover_positions()


@shared_task
def prune_quotes() -> None:
    services.prune_quotes()
