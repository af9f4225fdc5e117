"""`manage.py executions`: the user data stream; every report of the venue is applied, and every gap is reconciled."""

from collections import deque
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections
from django.utils import timezone

from exchange.binance.models import BalanceUpdate, Report
from exchange.binance.signing import Key
from exchange.binance.streams import Door, ListenKeyDoor, SubscriptionDoor, UserStream
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from ledger import services as ledger
from orders import services
from orders.models import Status

log = structlog.get_logger()
ALIVE_EVERY_SECONDS = 5
# An answer that comes at all is there by then.
ANSWERED_SECONDS = 1


class Command(BaseCommand):
    help = "Follow the user data stream."

    def handle(self, *args: Any, **options: Any) -> None:
        gate.refuse_unfit_database()
        key = gate.venue_key()
        if key is None:
            gate.wait_without_key("BINANCE_API_KEY is missing; there is no account to follow.")
        self.stream(key).run()

    def stream(self, key: Key) -> UserStream:
        """The account's stream by the door that the settings name, and what is done with what it says."""
        self.account = gate.primary_account()
        self.watch = services.Watch(self.account)
        self.heard_at = self.gap_from = self.account.stream_seen_at
        self.noted_at = timezone.now()
        self.listen_key = ""
        self.resting: deque[tuple[datetime, Report]] = deque()
        return UserStream(
            door=self.door(key),
            on_subscribed=self.subscribed,
            on_report=self.reported,
            on_balance=self.balance_changed,
            on_alive=self.alive,
            on_down=self.down,
            doubt=self.doubt,
        )

    def door(self, key: Key) -> Door:
        if settings.BINANCE_USER_STREAM == "listen_key":
            return ListenKeyDoor(url=settings.BINANCE_STREAM_URL, new_key=self.new_listen_key)
        gate.forget_listen_key(self.account)
        return SubscriptionDoor(
            url=settings.BINANCE_WS_API_URL,
            key=key,
            clock=gate.clock(),
            recv_window_ms=settings.RECV_WINDOW_MS,
            before=partial(gate.count_socket, self.account),
            on_limit=partial(gate.note_limit, self.account),
        )

    def new_listen_key(self) -> str:
        close_old_connections()
        self.listen_key = gate.open_listen_key(self.account)
        return self.listen_key

    def subscribed(self) -> None:
        """Nothing is replayed by the venue: what moved while nobody listened is asked for."""
        close_old_connections()
        gate.measure_clock()
        gate.note_stream(self.account, VenueAccount.StreamState.SUBSCRIBED)
        services.resume(venue_account=self.account, heard_until=self.gap_from or self.heard_at)
        self.gap_from = None
        self.watch.begin()
        log.info("executions.subscribed", account=self.account.name)

    def reported(self, report: Report) -> None:
        """That an order rests is what its answer says as well, at this very moment: it is applied a little later, and
        takes no lock from who applies the answer. What trades and what ends is applied at once."""
        self.watch.hear(report)
        if report.status == Status.OPEN and not report.fills:
            self.resting.append((timezone.now(), report))
        else:
            self.apply(report)

    def apply(self, report: Report, heard_at: datetime | None = None) -> None:
        close_old_connections()
        try:
            services.apply_report(
                venue_account=self.account, report=report, source="stream", heard_at=heard_at
            )
        except Exception:  # one bad event never stops the next; reconciliation brings it again
            log.exception("executions.report_failed", client_order_id=report.client_order_id)

    def balance_changed(self, update: BalanceUpdate) -> None:
        close_old_connections()
        try:
            ledger.poll_deposits()
        except Exception:  # the sweep polls anyway
            log.exception("executions.deposit_hint_failed", asset=update.asset)

    def alive(self) -> None:
        self.heard_at = timezone.now()

    def doubt(self) -> str:
        """Now and then: the stream is said to be alive, and asked whether it is also good for something."""
        now = timezone.now()
        while self.resting and (now - self.resting[0][0]).total_seconds() >= ANSWERED_SECONDS:
            heard_at, report = self.resting.popleft()
            self.apply(report, heard_at)
        if (now - self.noted_at).total_seconds() < ALIVE_EVERY_SECONDS:
            return ""
        self.noted_at = now
        try:
            close_old_connections()
            gate.note_stream_alive(self.account, self.heard_at)
            if self.listen_key and not gate.has_listen_key(self.account, self.listen_key):
                return "the venue does not know the listen key any more"
            return self.watch.doubt()
        except Exception:  # the database may be away: the stream is followed all the same
            log.exception("executions.not_watched")
            return ""

    def down(self, reason: str, is_alarm: bool) -> None:
        self.gap_from = self.gap_from or self.heard_at
        try:
            close_old_connections()
            gate.note_stream(self.account, VenueAccount.StreamState.DOWN, reason)
            if is_alarm:
                gate.alarm_about_stream(self.account, reason)
        except Exception:  # the database may be away too; the stream comes back first
            log.exception("executions.down_not_noted")
