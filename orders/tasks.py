"""Sweeps of orders."""

from celery import shared_task

from orders import services


@shared_task
def resolve_pending_orders() -> None:
    services.resolve_pending()


@shared_task
def follow_lists() -> None:
    services.follow_lists()


@shared_task
def reconcile_open_orders() -> None:
    services.reconcile_open()


@shared_task
def follow_crosses() -> None:
    services.follow_crosses()


@shared_task
def follow_routes() -> None:
    services.follow_routes()


@shared_task
def realise_routes() -> None:
    services.realise_routes()


@shared_task
def count_volumes() -> None:
    services.count_volumes()


@shared_task
def compare_trades() -> None:
    services.compare_trades()
