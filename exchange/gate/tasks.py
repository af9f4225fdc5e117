"""Sweeps of the gate."""

from celery import shared_task

from exchange.gate import conditions, rights, services


@shared_task
def carry_out_releases() -> None:
    services.carry_out_releases()


@shared_task
def watch_conditions() -> None:
    conditions.watch()


@shared_task
def renew_listen_keys() -> None:
    services.renew_listen_keys()


@shared_task
def check_due_keys() -> None:
    rights.check_due_keys()


@shared_task
def renew_order_counts() -> None:
    services.renew_order_counts()
