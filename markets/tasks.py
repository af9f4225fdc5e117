"""Sweeps of the catalogue and of candles."""

import structlog
from celery import shared_task

from exchange.binance.errors import VenueError
from markets import services

log = structlog.get_logger()


@shared_task
def synchronise_catalogue() -> None:
    """Markets and their rules are as the venue lists them now; while it is away they stay as they were."""
    try:
        services.synchronise_catalogue()
    except VenueError as error:
        log.warning("catalogue.not_read", reason=str(error)[:120])


@shared_task
def keep_hours() -> None:
    """The hourly candles of the last day are there for every listed market."""
    services.keep_hours()
