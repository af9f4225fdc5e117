"""Sweeps of the treasury."""

import structlog
from celery import shared_task

from exchange.binance.errors import VenueError
from exchange.errors import DomainError
from ledger import services

log = structlog.get_logger()


@shared_task
def poll_deposits() -> None:
    services.poll_deposits()


@shared_task
def poll_withdrawals() -> None:
    services.poll_withdrawals()


@shared_task
def publish_due_proof() -> None:
    services.publish_due_proof()


@shared_task
def revisit_withdrawals() -> None:
    services.revisit_withdrawals()


@shared_task
def expire_withdrawals() -> None:
    services.expire_withdrawals()


@shared_task
def note_overdue_withdrawals() -> None:
    services.note_overdue_withdrawals()


@shared_task
def synchronise_networks() -> None:
    services.synchronise_networks()


@shared_task
def synchronise_first_networks() -> None:
    try:
        services.synchronise_first_networks()
    except VenueError as error:
        log.warning("networks.not_read", reason=str(error)[:120])


@shared_task
def carry_out_approvals() -> None:
    services.carry_out_approvals()


@shared_task
def reconcile() -> None:
    services.reconcile_all()


@shared_task
def compare_history() -> None:
    services.compare_history()


@shared_task
def prune_reconciliations() -> None:
    services.prune_reconciliations()


@shared_task
def seal_books() -> None:
    services.seal_books()


@shared_task
def export_seals() -> None:
    try:
        services.export_seals()
    except (OSError, DomainError) as error:
        log.error("seals.not_exported", reason=str(error))


@shared_task
def mail_seal() -> None:
    services.mail_seal()


@shared_task
def snapshot_house() -> None:
    services.snapshot_house()
