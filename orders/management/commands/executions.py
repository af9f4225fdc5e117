"""`manage.py executions`: the user data stream; every report of the venue is applied, and every gap is reconciled."""

from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections
from django.utils import timezone

from exchange.binance.models import BalanceUpdate, Report
from exchange.binance.streams import UserStream
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from ledger import services as ledger
from orders import queries, services

log = structlog.get_logger()
ALIVE_EVERY_SECONDS = 5


class Command(BaseCommand):
    help = "Follow the user data stream."

    def handle(self, *args: Any, **options: Any) -> None:
        gate.refuse_unfit_database()
        key = gate.venue_key()
        if key is None:
            gate.wait_without_key("BINANCE_API_KEY is missing; there is no account to follow.")
        self.account = gate.primary_account()
        self.seen_at = timezone.now()
        UserStream(
            url=settings.BINANCE_WS_API_URL,
            key=key,
            clock=gate.clock(),
            on_subscribed=self.subscribed,
            on_report=self.reported,
            on_balance=self.balance_changed,
            on_alive=self.alive,
            on_down=self.down,
            recv_window_ms=settings.RECV_WINDOW_MS,
        ).run()

    def subscribed(self) -> None:
        """Nothing is replayed by the venue: what moved while nobody listened is asked for, order by order."""
        close_old_connections()
        gate.measure_clock()
        gate.note_stream(self.account, VenueAccount.StreamState.SUBSCRIBED)
        for venue_order in queries.unfinished_venue_orders():
            try:
                services.reconcile(venue_order_id=venue_order.pk)
            except Exception:  # the sweep asks again
                log.exception("executions.reconcile_failed", order=venue_order.order_id)
        log.info("executions.subscribed", account=self.account.name)

    def reported(self, report: Report) -> None:
        close_old_connections()
        try:
            services.apply_report(venue_account=self.account, report=report, source="stream")
        except Exception:  # one bad event never stops the next; reconciliation brings it again
            log.exception("executions.report_failed", client_order_id=report.client_order_id)

    def balance_changed(self, update: BalanceUpdate) -> None:
        close_old_connections()
        try:
            ledger.poll_deposits()
        except Exception:  # the sweep polls anyway
            log.exception("executions.deposit_hint_failed", asset=update.asset)

    def alive(self) -> None:
        now = timezone.now()
        if (now - self.seen_at).total_seconds() >= ALIVE_EVERY_SECONDS:
            self.seen_at = now
            close_old_connections()
            gate.note_stream_alive(self.account)

    def down(self, reason: str) -> None:
        try:
            close_old_connections()
            gate.note_stream(self.account, VenueAccount.StreamState.DOWN)
        except Exception:  # the database may be away too; the stream comes back first
            log.exception("executions.down_not_noted")
