"""Sweeps of the treasury."""

from celery import shared_task

from ledger import services


@shared_task
def poll_deposits() -> None:
    services.poll_deposits()


@shared_task
def poll_withdrawals() -> None:
    services.poll_withdrawals()


@shared_task
def synchronise_networks() -> None:
    services.synchronise_networks()


@shared_task
def carry_out_approvals() -> None:
    services.carry_out_approvals()


@shared_task
def reconcile() -> None:
    services.reconcile()


@shared_task
def compare_history() -> None:
    services.compare_history()


@shared_task
def prune_reconciliations() -> None:
    services.prune_reconciliations()
