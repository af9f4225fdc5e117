"""The REST calls we make, one method each. Reads are retried a little; what changes something is sent once, and so is
what its user asks for again by himself."""

import json
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from exchange.binance.errors import BAD_TIMESTAMP, Rejected, Unknown
from exchange.binance.models import (
    DayTicker,
    DepthSnapshot,
    ExchangeInfo,
    Kline,
    MyTrade,
    Report,
    VenueBalance,
    Wire,
)
from exchange.binance.sending import CancelReplace, Halves, Pairs, PlaceOrder, PlacePair, plain_text
from exchange.binance.signing import Key, encode, signed_query
from exchange.binance.transport import Clock, Transport
from exchange.binance.usage import CANCEL, FREE, PAIR, PLACE, Cost, Meter
from exchange.binance.wallet import CoinConfig, DepositRecord, KeyRights, VenueAddress, WithdrawRecord

FEW_TICKERS = 100
# A snapshot that comes late is of no use: the book that wants it has moved on, and asks again.
DEPTH_SECONDS = 2.0
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
_retry_reads = retry(
    retry=retry_if_exception_type(Unknown),
    stop=stop_after_attempt(3),
    wait=wait_random_exponential(multiplier=0.2, max=1),
    reraise=True,
)


class NoWallet(Exception):
    """This venue has no wallet address (BINANCE_SAPI_URL is empty)."""


class Rest:
    """A venue's REST API under one key; `key` may be None for public data."""

    def __init__(
        self,
        *,
        base_url: str,
        sapi_url: str = "",
        key: Key | None = None,
        clock: Clock | None = None,
        meter: Meter | None = None,
        timeout: float = 12,
        recv_window_ms: int = 5000,
        proxy: str = "",
    ) -> None:
        self.clock = clock or Clock()
        self._base, self._sapi, self._key = base_url, sapi_url, key
        self._recv_window_ms = recv_window_ms
        self._transport = Transport(timeout=timeout, meter=meter, proxy=proxy)

    # ------------------------------------------------------------------ public
    def time(self) -> int:
        """Server time in milliseconds. Weight 1."""
        return int(self._read_public("/api/v3/time", weight=1)["serverTime"])

    def exchange_info(self) -> ExchangeInfo:
        """Every symbol with its filters, and the limits. Weight 20."""
        return ExchangeInfo.from_wire(self.exchange_info_as_told())

    def exchange_info_as_told(self) -> Wire:
        """The same in the venue's own words."""
        told: Wire = self._read_public("/api/v3/exchangeInfo", weight=20)
        return told

    def depth(self, symbol: str, limit: int = 100) -> DepthSnapshot:
        """Weight 5 to 100 levels, 25 to 500, 50 to 1,000, 250 to 5,000. Asked once, and not for long."""
        query = encode([("symbol", symbol), ("limit", str(limit))])
        weight = next((weight for most, weight in DEPTH_WEIGHTS if limit <= most), DEPTH_WEIGHTS[-1][1])
        url = f"{self._base}/api/v3/depth?{query}"
        body = self._transport.send("GET", url, within=DEPTH_SECONDS, cost=Cost(weight))
        return DepthSnapshot.from_wire(symbol, body)

    def day_tickers(self, symbols: Collection[str]) -> list[DayTicker]:
        """Weight 2 for up to 20 symbols, 40 for up to 100, 80 for more, which are all that the venue has."""
        pairs = [("type", "MINI")]
        if len(symbols) <= FEW_TICKERS:
            pairs.append(("symbols", json.dumps(sorted(symbols), separators=(",", ":"), ensure_ascii=False)))
        weight = 2 if len(symbols) <= 20 else 40 if len(symbols) <= FEW_TICKERS else 80
        rows = self._read_public("/api/v3/ticker/24hr", pairs, weight=weight)
        return [DayTicker.from_wire(row) for row in rows]

    def klines(
        self,
        symbol: str,
        interval: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
        zone_minutes: int = 0,
    ) -> list[Kline]:
        """At most 1,000 candles, oldest first; the newest when no start is given. Weight 2.

        `zone_minutes` east of UTC moves where they begin; their times, and start and end, stay UTC.
        """
        pairs = [("symbol", symbol), ("interval", interval), ("limit", str(limit))]
        pairs += _times(start_ms, end_ms)
        if zone_minutes:
            hours, minutes = divmod(abs(zone_minutes), 60)
            pairs.append(("timeZone", f"{'-' if zone_minutes < 0 else ''}{hours}:{minutes:02}"))
        return [Kline.from_wire(row) for row in self._read_public("/api/v3/klines", pairs, weight=2)]

    # ------------------------------------------------------------------ orders
    def place(self, order: PlaceOrder) -> Report:
        """Sent once, with the timestamp it carries; weight 1, one order of the account's limit."""
        return Report.from_answer(self._send("POST", self._base + order.path, order.parameters, cost=PLACE))

    def cancel_replace(self, change: CancelReplace) -> Halves:
        """A new order takes the place of another, or nothing of it is placed; weight 1.

        Sent once. Raises Rejected when the venue refused it before either half.
        """
        url = self._base + "/api/v3/order/cancelReplace"
        try:
            return Halves.from_wire(self._send("POST", url, change.parameters, cost=PLACE))
        except Rejected as error:
            if error.halves is None:
                raise
            return Halves.from_wire(error.halves)

    def place_pair(self, pair: PlacePair) -> tuple[Report, ...]:
        """Both orders or none (OCO), sent once, with the timestamp they carry; weight 1, two orders of the limit."""
        url = self._base + "/api/v3/orderList/oco"
        return Report.each_of(self._send("POST", url, pair.parameters, cost=PAIR))

    def cancel(
        self, symbol: str, client_order_id: str, timestamp_ms: int | None = None
    ) -> tuple[Report, ...]:
        """The order, and those of its list that ended with it; weight 1. `timestamp_ms`: of the venue's clock, when
        it was decided, for what the venue is to refuse if it comes late.

        Raises Rejected -2011 when the venue knows no such open order.
        """
        pairs = [("symbol", symbol), ("origClientOrderId", client_order_id)]
        url = self._base + "/api/v3/order"
        return Report.each_of(self._send("DELETE", url, self._stamped(pairs, timestamp_ms), cost=CANCEL))

    def amend(self, symbol: str, client_order_id: str, quantity: Decimal, *, timestamp_ms: int) -> Report:
        """The order is smaller from now on, and keeps its place and its id. Weight 4; sent once, with the timestamp
        of its decision."""
        pairs = [("symbol", symbol), ("origClientOrderId", client_order_id), ("newQty", plain_text(quantity))]
        # Without this the venue would give it a new id, by which nobody here knows it.
        pairs.append(("newClientOrderId", client_order_id))
        url = self._base + "/api/v3/order/amend/keepPriority"
        return Report.from_amend(self._send("PUT", url, self._stamped(pairs, timestamp_ms), cost=Cost(4)))

    def order(self, symbol: str, client_order_id: str) -> Report:
        """Weight 4; raises Rejected -2013 when the venue knows no such order (yet)."""
        pairs = [("symbol", symbol), ("origClientOrderId", client_order_id)]
        return Report.from_answer(self._read(self._base + "/api/v3/order", pairs, weight=4))

    def order_by_number(self, symbol: str, number: int) -> Report:
        """The same, by the venue's own number."""
        pairs = [("symbol", symbol), ("orderId", str(number))]
        return Report.from_answer(self._read(self._base + "/api/v3/order", pairs, weight=4))

    def open_orders(self, symbol: str | None = None) -> list[Report]:
        """Weight 6 for one symbol, 80 for all."""
        pairs = [("symbol", symbol)] if symbol else []
        rows = self._read(self._base + "/api/v3/openOrders", pairs, weight=6 if symbol else 80)
        return [Report.from_answer(row) for row in rows]

    def all_orders(
        self, symbol: str, *, from_number: int | None = None, start_ms: int | None = None, limit: int = 1000
    ) -> list[Report]:
        """Orders of every state, oldest first, from this one's number or from the time on; weight 20."""
        pairs = [("symbol", symbol), ("limit", str(limit)), *_times(start_ms, None)]
        if from_number is not None:
            pairs.append(("orderId", str(from_number)))
        rows = self._read(self._base + "/api/v3/allOrders", pairs, weight=20)
        return [Report.from_answer(row) for row in rows]

    def order_lists(
        self, *, start_ms: int | None = None, end_ms: int | None = None, from_id: int | None = None
    ) -> list[tuple[int, set[int]]]:
        """The venue's numbers of order lists and of the orders in each, oldest first: of at most 24 hours, or from
        this list's number on. At most 1,000; weight 20."""
        pairs = [*_times(start_ms, end_ms), ("limit", "1000")]
        if from_id is not None:
            pairs.append(("fromId", str(from_id)))
        rows = self._read(self._base + "/api/v3/allOrderList", pairs, weight=20)
        return [(int(row["orderListId"]), {int(order["orderId"]) for order in row["orders"]}) for row in rows]

    def my_trades(
        self,
        symbol: str,
        *,
        venue_order_id: int | None = None,
        from_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 1000,
    ) -> list[MyTrade]:
        """Our trades, oldest first: the newest, or the oldest from the id or of at most 24 hours from the start.

        Weight 20, 5 with an order id.
        """
        pairs = [("symbol", symbol), ("limit", str(limit)), *_times(start_ms, end_ms)]
        if venue_order_id is not None:
            pairs.append(("orderId", str(venue_order_id)))
        if from_id is not None:
            pairs.append(("fromId", str(from_id)))
        weight = 20 if venue_order_id is None else 5
        rows = self._read(self._base + "/api/v3/myTrades", pairs, weight=weight)
        return [MyTrade.from_wire(row) for row in rows]

    def my_allocations(
        self,
        symbol: str,
        *,
        venue_order_id: int | None = None,
        from_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> list[MyTrade]:
        """What smart order routing allotted to us, oldest first: of one order, from the id, or of at most 24 hours.
        At most 1,000; weight 20."""
        pairs = [("symbol", symbol), ("limit", "1000"), *_times(start_ms, end_ms)]
        if venue_order_id is not None:
            pairs.append(("orderId", str(venue_order_id)))
        if from_id is not None:
            pairs.append(("fromAllocationId", str(from_id)))
        rows = self._read(self._base + "/api/v3/myAllocations", pairs, weight=20)
        return [MyTrade.from_wire(row) for row in rows]

    def account(self) -> list[VenueBalance]:
        """Free and locked by asset, zero rows left out. Weight 20."""
        url = self._base + "/api/v3/account"
        rows = self._read(url, [("omitZeroBalances", "true")], weight=20)["balances"]
        return [balance for row in rows if (balance := VenueBalance.from_wire(row)).free or balance.locked]

    def order_counts(self) -> dict[str, int]:
        """The account's unfilled orders by interval, e.g. {"10s": 3}. Weight 40."""
        rows = self._read(self._base + "/api/v3/rateLimit/order", [], weight=40)
        return {f"{row['intervalNum']}{str(row['interval'])[:1].lower()}": int(row["count"]) for row in rows}

    # ------------------------------------------------------------------ listen keys, where they still are
    def open_listen_key(self) -> str:
        """Whoever has it hears the account for an hour; the present one if there is one. Weight 2, not signed."""
        return str(self._keyed("POST")["listenKey"])

    def renew_listen_key(self, key: str) -> None:
        """It lives for another hour; raises Rejected -1125 for one that has ended. Weight 2."""
        self._keyed("PUT", [("listenKey", key)])

    def _keyed(self, method: str, pairs: Pairs | None = None) -> Any:
        assert self._key is not None, "a listen key belongs to a key"
        query = f"?{encode(pairs)}" if pairs else ""
        url = f"{self._base}/api/v3/userDataStream{query}"
        return self._transport.send(method, url, api_key=self._key.api_key, cost=Cost(2))

    # ------------------------------------------------------------------ wallet
    def capital_config(self) -> list[CoinConfig]:
        """Every coin with its networks' rules. IP weight 10."""
        return [CoinConfig.from_wire(row) for row in self._wallet("capital/config/getall", [])]

    def deposit_address(self, asset: str, network: str) -> VenueAddress:
        """The pooled account's own address. IP weight 10."""
        return VenueAddress.from_wire(
            self._wallet("capital/deposit/address", [("coin", asset), ("network", network)])
        )

    def deposit_history(
        self, *, start_ms: int, end_ms: int, offset: int = 0, limit: int = 1000
    ) -> list[DepositRecord]:
        """Deposits of less than 90 days. IP weight 1."""
        pairs = [*_times(start_ms, end_ms), ("offset", str(offset)), ("limit", str(limit))]
        return [DepositRecord.from_wire(row) for row in self._wallet("capital/deposit/hisrec", pairs)]

    def withdraw(
        self,
        *,
        asset: str,
        network: str,
        address: str,
        tag: str,
        amount: Decimal,
        client_id: str,
        timestamp_ms: int,
    ) -> str:
        """The venue's id of the withdrawal; sent once, never again, with the timestamp given. UID weight 900."""
        pairs = [("coin", asset), ("network", network), ("address", address)]
        pairs += [("addressTag", tag)] if tag else []
        pairs += [("amount", plain_text(amount)), ("withdrawOrderId", client_id)]
        pairs += [("recvWindow", str(self._recv_window_ms)), ("timestamp", str(timestamp_ms))]
        return str(self._send("POST", self._sapi_url("capital/withdraw/apply"), pairs)["id"])

    def withdraw_history(
        self,
        *,
        client_id: str = "",
        start_ms: int | None = None,
        end_ms: int | None = None,
        offset: int = 0,
        limit: int = 1000,
    ) -> list[WithdrawRecord]:
        """Withdrawals of less than 90 days, seven with a client id. UID weight 18,000."""
        pairs = [("withdrawOrderId", client_id)] if client_id else []
        pairs += [*_times(start_ms, end_ms), ("offset", str(offset)), ("limit", str(limit))]
        return [WithdrawRecord.from_wire(row) for row in self._wallet("capital/withdraw/history", pairs)]

    def key_rights(self) -> KeyRights:
        """What the key may do. IP weight 1."""
        return KeyRights.from_wire(self._wallet("account/apiRestrictions", []))

    # ------------------------------------------------------------------ sub-accounts
    def create_sub_account(self, name: str) -> str:
        """The e-mail by which the venue knows the new virtual sub-account."""
        url = self._sapi_url("sub-account/virtualSubAccount")
        return str(self._send("POST", url, self._stamped([("subAccountString", name)]))["email"])

    def sub_deposit_address(self, email: str, asset: str, network: str) -> VenueAddress:
        pairs = [("email", email), ("coin", asset), ("network", network)]
        return VenueAddress.from_wire(self._wallet("capital/deposit/subAddress", pairs))

    def sub_deposit_history(
        self, email: str, *, start_ms: int, end_ms: int, offset: int = 0, limit: int = 1000
    ) -> list[DepositRecord]:
        pairs = [("email", email), *_times(start_ms, end_ms), ("offset", str(offset)), ("limit", str(limit))]
        return [DepositRecord.from_wire(row) for row in self._wallet("capital/deposit/subHisrec", pairs)]

    def universal_transfer(self, from_email: str, asset: str, amount: Decimal, client_id: str) -> int:
        """Moves from a sub-account's spot wallet to the main account's; the client id makes a repeat harmless."""
        pairs = [("fromEmail", from_email), ("fromAccountType", "SPOT"), ("toAccountType", "SPOT")]
        pairs += [("clientTranId", client_id), ("asset", asset), ("amount", plain_text(amount))]
        url = self._sapi_url("sub-account/universalTransfer")
        return int(self._send("POST", url, self._stamped(pairs))["tranId"])

    def universal_transfers(self, client_id: str) -> list[dict[str, Any]]:
        body = self._wallet("sub-account/universalTransfer", [("clientTranId", client_id)])
        return [dict(row) for row in body.get("result", ())]

    def sub_account_assets(self, email: str) -> list[VenueBalance]:
        """What lies in a sub-account, frozen amounts among the locked, zero rows left out. UID weight 60."""
        body = self._read(self._sapi_url("sub-account/assets", version=4), [("email", email)])
        rows = (VenueBalance.from_sub_account(row) for row in body["balances"])
        return [balance for balance in rows if balance.free or balance.locked]

    # ------------------------------------------------------------------ how it is sent
    def _read_public(self, path: str, pairs: Pairs | None = None, *, weight: int) -> Any:
        url, cost = self._base + path + (f"?{encode(pairs)}" if pairs else ""), Cost(weight)
        return self._retrying(lambda: self._transport.send("GET", url, cost=cost))

    def _read(self, url: str, pairs: Pairs, *, weight: int = 0) -> Any:
        cost = Cost(weight)

        def once() -> Any:
            try:
                return self._send("GET", url, self._stamped(pairs), writes=False, cost=cost)
            except Rejected as error:
                if error.code != BAD_TIMESTAMP:
                    raise
                self.clock.forget()  # a read may be signed once more with the right time
                return self._send("GET", url, self._stamped(pairs), writes=False, cost=cost)

        return self._retrying(once)

    @staticmethod
    def _retrying(once: Callable[[], Any]) -> Any:
        return _retry_reads(once)()

    def _wallet(self, path: str, pairs: Pairs) -> Any:
        """Wallet paths weigh nothing of the minute that the rest shares (binance.md 15)."""
        return self._read(self._sapi_url(path), pairs)

    def _sapi_url(self, path: str, version: int = 1) -> str:
        if not self._sapi:
            raise NoWallet("this venue has no wallet")
        return f"{self._sapi}/sapi/v{version}/{path}"

    def _stamped(self, pairs: Pairs, timestamp_ms: int | None = None) -> Pairs:
        if not self.clock.is_known:
            self.clock.measure(self.time)
        at = self.clock.now_ms() if timestamp_ms is None else timestamp_ms
        return [*pairs, ("recvWindow", str(self._recv_window_ms)), ("timestamp", str(at))]

    def _send(self, method: str, url: str, pairs: Pairs, *, writes: bool = True, cost: Cost = FREE) -> Any:
        assert self._key is not None, "a signed call needs a key"
        url = f"{url}?{signed_query(pairs, self._key)}"
        return self._transport.send(method, url, api_key=self._key.api_key, writes=writes, cost=cost)


def _times(start_ms: int | None, end_ms: int | None) -> Pairs:
    named = (("startTime", start_ms), ("endTime", end_ms))
    return [(name, str(value)) for name, value in named if value is not None]
