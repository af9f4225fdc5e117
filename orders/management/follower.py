"""The user data streams of our accounts: every report of the venue is applied, and every gap is reconciled."""

import threading
import time
from collections import deque
from datetime import datetime
from decimal import Decimal
from functools import partial

import structlog
from django.conf import settings
from django.db import close_old_connections, connections
from django.utils import timezone

from exchange.binance.models import BalanceUpdate, Report
from exchange.binance.positions import AccountPosition
from exchange.binance.signing import Key
from exchange.binance.streams import Door, ListenKeyDoor, SubscriptionDoor, UserStream
from exchange.gate import inventory, keys
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from ledger import services as ledger
from orders import funds, services
from orders.models import Status, Type

log = structlog.get_logger()
ALIVE_EVERY_SECONDS = 5
# An answer that comes at all is there by then, nearly always.
ANSWERED_SECONDS = Decimal("0.4")
# Of many events one after another the inventory is written so often at most.
POSITION_MS = 250


def is_answered_too(report: Report) -> bool:
    """True of what the answer to placing the order tells: it rests, or it took what rested. A stop takes later."""
    if not report.fills:
        return report.status == Status.OPEN
    return report.fills[0].is_maker is False and report.type in (Type.LIMIT, Type.MARKET)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Follower:
    """Follows the account by the door that the settings name, in a thread of its own, until it is stopped."""

    def __init__(self, account: VenueAccount, key: Key) -> None:
        self.account, self.version = account, account.keys_version
        self.watch = services.Watch(account)
        self.heard_at = self.gap_from = account.stream_seen_at
        self.noted_at = timezone.now()
        self.listen_key = ""
        self.position: AccountPosition | None = None
        self.position_ms = 0
        self.answered_too: deque[tuple[datetime, Report]] = deque()
        self.stream = UserStream(
            door=self.door(key),
            on_subscribed=self.subscribed,
            on_report=self.reported,
            on_balance=self.balance_changed,
            on_alive=self.alive,
            on_position=self.position_told,
            on_down=self.down,
            on_refused=self.refused,
            doubt=self.doubt,
            proxy=account.proxy,
        )
        self._thread = threading.Thread(target=self._run, name=f"follow {account.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """It hears nothing more soon; `wait` until it does not."""
        self.stream.stop()

    def wait(self, seconds: float) -> None:
        self._thread.join(seconds)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.stream.run()
        finally:
            connections.close_all()

    def door(self, key: Key) -> Door:
        if settings.BINANCE_USER_STREAM == "listen_key":
            return ListenKeyDoor(
                url=settings.BINANCE_STREAM_URL,
                new_key=self.new_listen_key,
                again=partial(gate.require_no_ban, self.account),
                on_limit=partial(gate.note_limit, self.account),
            )
        gate.forget_listen_key(self.account)
        return SubscriptionDoor(
            url=settings.BINANCE_WS_API_URL,
            key=key,
            clock=gate.clock(),
            recv_window_ms=settings.RECV_WINDOW_MS,
            before=partial(gate.count_socket, self.account),
            again=partial(gate.require_no_ban, self.account),
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
        """That an order rests or took is what its answer says as well, at this very moment: it is applied a little
        later, and takes no lock from who applies the answer. What else trades, and what ends, is applied at once."""
        self.watch.hear(report)
        if is_answered_too(report):
            self.answered_too.append((timezone.now(), report))
            return
        mine = [told for told in self.answered_too if told[1].client_order_id == report.client_order_id]
        for heard_at, earlier in mine:
            self.answered_too.remove((heard_at, earlier))
            self.apply(earlier, heard_at)
        self.apply(report)

    def apply(self, report: Report, heard_at: datetime | None = None) -> None:
        close_old_connections()
        try:
            services.apply_report(
                venue_account=self.account, report=report, source="stream", heard_at=heard_at
            )
        except Exception:  # one bad event never stops the next; reconciliation brings it again
            log.exception("executions.report_failed", client_order_id=report.client_order_id)

    def apply_answered(self, now: datetime) -> None:
        """What the answers have told by now goes on record in one step; what they have not is applied."""
        due = []
        while self.answered_too and (now - self.answered_too[0][0]).total_seconds() >= ANSWERED_SECONDS:
            due.append(self.answered_too.popleft())
        if not due:
            return
        close_old_connections()
        try:
            due = services.note_known(self.account, due, "stream")
        except Exception:  # each for itself then
            log.exception("executions.reports_not_noted", count=len(due))
        for heard_at, report in due:
            self.apply(report, heard_at)

    def balance_changed(self, update: BalanceUpdate) -> None:
        if not self.account.is_primary:  # deposits come to the primary account alone
            return
        close_old_connections()
        try:
            ledger.poll_deposits()
        except Exception:  # the sweep polls anyway
            log.exception("executions.deposit_hint_failed", asset=update.asset)

    def position_told(self, position: AccountPosition) -> None:
        """What lies there now is known a moment later; the sweep of inventories asks anyway."""
        self.position = position.after(self.position)
        if _now_ms() - self.position_ms >= POSITION_MS:
            self.note_position()

    def note_position(self) -> None:
        if (position := self.position) is None:
            return
        self.position, self.position_ms = None, _now_ms()
        try:
            close_old_connections()
            inventory.note_position(self.account, position)
        except Exception:  # the sweep asks anyway
            log.exception("executions.position_not_noted", account=self.account.name)

    def alive(self) -> None:
        self.heard_at = timezone.now()

    def doubt(self) -> str:
        """Now and then: the stream is said to be alive, and asked whether it is also good for something."""
        now = timezone.now()
        self.note_position()
        self.apply_answered(now)
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

    def refused(self, reason: str) -> None:
        try:
            close_old_connections()
            keys.note_refused(self.account, reason)
        except Exception:
            log.exception("executions.refusal_not_noted", account=self.account.name)

    def down(self, reason: str, is_alarm: bool) -> None:
        self.gap_from = self.gap_from or self.heard_at
        try:
            close_old_connections()
            gate.note_stream(self.account, VenueAccount.StreamState.DOWN, reason)
            if is_alarm:
                gate.alarm_about_stream(self.account, reason)
        except Exception:  # the database may be away too; the stream comes back first
            log.exception("executions.down_not_noted")


class Followers:
    """Everybody who is to be followed is, each in a thread of its own, after every look."""

    def __init__(self) -> None:
        self.by_account: dict[int, Follower] = {}

    def look(self) -> None:
        """An account that is new, or has another key or way, is followed anew; one with nothing to hear is let go."""
        wanted = {account.pk: account for account in funds.accounts_to_follow()}
        for number, follower in list(self.by_account.items()):
            account = wanted.get(number)
            is_as_wanted = account is not None and account.keys_version == follower.version
            if not (is_as_wanted and follower.is_alive):
                self._let_go(number, follower)
        for number, account in wanted.items():
            if number not in self.by_account:
                self._follow(account)

    def end(self) -> None:
        for follower in self.by_account.values():
            follower.stop()
        for follower in self.by_account.values():
            follower.wait(15)

    def _follow(self, account: VenueAccount) -> None:
        if (key := gate.key_of(account)) is None:
            return
        self.by_account[account.pk] = Follower(account, key)
        self.by_account[account.pk].start()
        log.info("executions.following", account=account.name)

    def _let_go(self, number: int, follower: Follower) -> None:
        """The next one of the account begins when this one has ended: what it heard it has applied."""
        follower.stop()
        if not follower.is_alive:
            del self.by_account[number]
            gate.note_stream(follower.account, VenueAccount.StreamState.DOWN, "it is not followed")
            log.info("executions.let_go", account=follower.account.name)
