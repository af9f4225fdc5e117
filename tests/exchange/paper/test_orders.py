"""Orders at the venue: types, locks, commissions, self-trades, ids, and what the account hears."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.paper.accounts import Account
from exchange.paper.errors import ApiError
from exchange.paper.orderapi import my_prevented_matches
from exchange.paper.walletapi import totals
from exchange.paper.wire import queried
from tests.exchange.paper.people import Bench, D


def held(account: Account, asset: str) -> tuple[Decimal, Decimal]:
    balance = account.balance(asset)
    return balance.free, balance.locked


def quoted(bench: Bench, price: str = "100", quantity: str = "1") -> None:
    """bob offers to sell."""
    bench.fund(bench.bob, BTC=quantity)
    bench.order(bench.bob, "SELL", price=price, quantity=quantity)


@pytest.fixture(autouse=True)
def quiet_prices(bench: Bench) -> None:
    """Any price is near enough: the distance from the average is tested by itself."""
    bench.market.filters.rows.pop("PERCENT_PRICE_BY_SIDE")


def test_a_limit_order_locks_what_it_can_cost(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    bench.order(bench.alice, "BUY", price="100", quantity="0.5")
    assert held(bench.alice, "USDT") == (D(50), D(50))


def test_a_better_price_frees_what_is_left_over(bench: Bench) -> None:
    quoted(bench, price="90")
    bench.fund(bench.alice, USDT="100")
    order = bench.order(bench.alice, "BUY", price="100", quantity="1")
    assert (order.status, held(bench.alice, "USDT")) == ("FILLED", (D(10), D(0)))


def test_the_commission_is_taken_from_what_was_received_on_both_sides(bench: Bench) -> None:
    quoted(bench)
    bench.fund(bench.alice, USDT="100")
    bench.order(bench.alice, "BUY", price="100", quantity="1")
    assert (held(bench.alice, "BTC")[0], held(bench.bob, "USDT")[0]) == (D("0.999"), D("99.9"))


def test_the_rest_of_an_ioc_order_expires(bench: Bench) -> None:
    quoted(bench, quantity="0.4")
    bench.fund(bench.alice, USDT="100")
    order = bench.order(bench.alice, "BUY", price="100", quantity="1", timeInForce="IOC")
    assert (order.status, order.executed, held(bench.alice, "USDT")) == ("EXPIRED", D("0.4"), (D(60), D(0)))


def test_a_fok_order_that_cannot_be_filled_whole_touches_nothing(bench: Bench) -> None:
    quoted(bench, quantity="0.4")
    bench.fund(bench.alice, USDT="100")
    order = bench.order(bench.alice, "BUY", price="100", quantity="1", timeInForce="FOK")
    assert (order.status, order.expiry_reason, order.executed) == ("EXPIRED", "UNFILLED_FOK_ORDER_EXPIRED", 0)


def test_a_maker_only_order_that_would_take_is_refused(bench: Bench) -> None:
    quoted(bench)
    bench.fund(bench.alice, USDT="100")
    with pytest.raises(ApiError, match=r"Order would immediately match and take\."):
        bench.order(bench.alice, "BUY", "LIMIT_MAKER", price="100", quantity="1")


def test_a_market_order_takes_the_book_and_expires_where_it_ends(bench: Bench) -> None:
    quoted(bench, quantity="0.4")
    bench.fund(bench.alice, USDT="100")
    order = bench.order(bench.alice, "BUY", "MARKET", quantity="0.5")
    assert (order.status, order.executed, order.expiry_reason) == (
        "EXPIRED",
        D("0.4"),
        "INSUFFICIENT_LIQUIDITY",
    )


def test_a_market_order_by_total_spends_at_most_the_total(bench: Bench) -> None:
    quoted(bench, price="99", quantity="1")
    bench.fund(bench.alice, USDT="100")
    order = bench.order(bench.alice, "BUY", "MARKET", quoteOrderQty="50")
    assert (order.status, order.executed, order.quote) == ("FILLED", D("0.50505"), D("49.99995"))


def test_a_market_order_on_an_empty_book_is_refused(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    with pytest.raises(ApiError, match=r"No orders on book for symbol\."):
        bench.order(bench.alice, "BUY", "MARKET", quantity="1")


def test_an_order_beyond_the_balance_is_refused_and_locks_nothing(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="99.99")
    with pytest.raises(ApiError) as refused:
        bench.order(bench.alice, "BUY", price="100", quantity="1")
    assert (refused.value.code, refused.value.message) == (
        -2010,
        "Account has insufficient balance for requested action.",
    )
    assert held(bench.alice, "USDT") == (D("99.99"), D(0))


def test_a_client_id_is_unique_among_open_orders_only(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    first = bench.order(bench.alice, "BUY", price="100", quantity="0.2", newClientOrderId="mine")
    with pytest.raises(ApiError, match=r"Duplicate order sent\."):
        bench.order(bench.alice, "BUY", price="100", quantity="0.2", newClientOrderId="mine")
    bench.venue.trading.cancel(bench.alice, bench.market, first)
    again = bench.order(bench.alice, "BUY", price="100", quantity="0.2", newClientOrderId="mine")
    assert again.order_id > first.order_id


@pytest.mark.parametrize(
    ("mode", "resting", "coming"),
    [
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
        ("DECREMENT", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
        ("NONE", "FILLED", "FILLED"),
    ],
)
def test_orders_of_one_account_meet_as_their_mode_says(
    bench: Bench, mode: str, resting: str, coming: str
) -> None:
    bench.fund(bench.alice, USDT="100", BTC="1")
    maker = bench.order(bench.alice, "SELL", price="100", quantity="1")
    taker = bench.order(bench.alice, "BUY", price="100", quantity="1", selfTradePreventionMode=mode)
    assert (maker.status, taker.status) == (resting, coming)


def test_a_prevented_trade_is_told_with_what_it_would_have_been(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100", BTC="1")
    maker = bench.order(bench.alice, "SELL", price="100", quantity="1")
    heard = bench.hear(bench.alice)
    taker = bench.order(bench.alice, "BUY", price="100", quantity="0.4")
    bench.venue.settle()
    report = next(event for event in heard if event.get("x") == "TRADE_PREVENTION")
    assert {key: report[key] for key in ("i", "X", "U", "A", "pl", "pL", "pY")} == {
        "i": maker.order_id, "X": "EXPIRED_IN_MATCH", "U": taker.order_id, "A": "1.00000000", "pl": "0.40000000",
        "pL": "100.00000000", "pY": "40.00000000",
    }  # fmt: skip
    assert queried(maker)["preventedQuantity"] == "1.00000000"


@pytest.mark.parametrize(
    ("of_maker", "of_taker", "statuses"),
    [("6", "2", ("NEW", "EXPIRED_IN_MATCH")), ("2", "6", ("EXPIRED_IN_MATCH", "NEW"))],
)
def test_both_become_smaller_by_what_they_would_have_traded(
    bench: Bench, of_maker: str, of_taker: str, statuses: tuple[str, str]
) -> None:
    bench.fund(bench.alice, USDT="60", BTC="6")
    maker = bench.order(bench.alice, "BUY", price="10", quantity=of_maker)
    heard = bench.hear(bench.alice)
    taker = bench.order(
        bench.alice, "SELL", price="10", quantity=of_taker, selfTradePreventionMode="DECREMENT"
    )
    bench.venue.settle()
    told = [(event["X"], event["A"], event["B"]) for event in heard if event.get("x") == "TRADE_PREVENTION"]
    left = [(order.status, order.prevented) for order in (maker, taker)]
    assert left == [(statuses[0], D(2)), (statuses[1], D(2))]
    assert told == [(status, "2.00000000", "2.00000000") for status in statuses]
    assert bench.held(bench.alice, "USDT")[1] == maker.remaining * 10
    assert bench.held(bench.alice, "BTC")[1] == taker.remaining


def test_prevented_matches_are_asked_for_by_their_id_or_by_an_order(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100", BTC="1")
    maker = bench.order(bench.alice, "SELL", price="100", quantity="1")
    taker = bench.order(bench.alice, "BUY", price="100", quantity="0.4")
    asked = {"symbol": "BTCUSDT", "orderId": str(taker.order_id)}
    (row,) = my_prevented_matches(bench.venue, asked, bench.alice)
    by_id = {"symbol": "BTCUSDT", "preventedMatchId": str(row["preventedMatchId"])}
    assert my_prevented_matches(bench.venue, by_id, bench.alice) == [row]
    assert (row["makerOrderId"], row["makerPreventedQuantity"], row["selfTradePreventionMode"]) == (
        maker.order_id,
        "1.00000000",
        "EXPIRE_MAKER",
    )


def test_a_fok_order_does_not_count_its_own_accounts_offers(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100", BTC="1")
    bench.order(bench.alice, "SELL", price="100", quantity="1")
    order = bench.order(bench.alice, "BUY", price="100", quantity="1", timeInForce="FOK")
    assert order.status == "EXPIRED"


def test_a_canceled_order_gives_back_what_was_not_filled(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    order = bench.order(bench.alice, "BUY", price="100", quantity="1")
    bench.fund(bench.bob, BTC="0.25")
    bench.order(bench.bob, "SELL", price="100", quantity="0.25")
    answer = bench.venue.trading.cancel(bench.alice, bench.market, order, "the-cancel")
    assert held(bench.alice, "USDT") == (D(75), D(0))
    assert (answer["origClientOrderId"], answer["clientOrderId"], answer["executedQty"]) == (
        order.client_id,
        "the-cancel",
        "0.25000000",
    )


def test_the_account_hears_of_the_order_then_of_its_trade_then_of_its_balances(bench: Bench) -> None:
    quoted(bench)
    bench.fund(bench.alice, USDT="100")
    heard = bench.hear(bench.alice)
    bench.order(bench.alice, "BUY", price="100", quantity="1")
    assert heard == []
    bench.venue.settle()
    assert [(event["e"], event.get("x"), event.get("X")) for event in heard] == [
        ("executionReport", "NEW", "NEW"),
        ("executionReport", "TRADE", "FILLED"),
        ("outboundAccountPosition", None, None),
    ]


def test_a_cancel_is_told_under_its_own_id_with_the_orders_as_the_original(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    order = bench.order(bench.alice, "BUY", price="100", quantity="1")
    heard = bench.hear(bench.alice)
    bench.venue.trading.cancel(bench.alice, bench.market, order, "the-cancel")
    bench.venue.settle()
    assert (heard[0]["x"], heard[0]["c"], heard[0]["C"]) == ("CANCELED", "the-cancel", order.client_id)


def test_a_stranger_hears_nothing(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    heard = bench.hear(bench.bob)
    bench.order(bench.alice, "BUY", price="100", quantity="1")
    bench.venue.settle()
    assert heard == []


def test_a_closed_market_takes_no_order(bench: Bench) -> None:
    bench.market.info["status"] = "HALT"
    with pytest.raises(ApiError, match=r"Market is closed\."):
        bench.order(bench.alice, "BUY", price="100", quantity="1")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"side": "LONG", "type": "LIMIT"}, -1117),
        ({"side": "BUY", "type": "SWEEP"}, -1116),
        ({"side": "BUY", "type": "LIMIT", "price": "1", "quantity": "1"}, -1102),
        ({"side": "BUY", "type": "LIMIT", "timeInForce": "GTX", "price": "1", "quantity": "1"}, -1115),
        ({"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "1e3", "quantity": "1"}, -1100),
        (
            {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "1", "quantity": "0.123456789"},
            -1111,
        ),
        ({"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "0", "quantity": "1"}, -1013),
        ({"side": "BUY", "type": "MARKET"}, -1102),
        ({"side": "BUY", "type": "MARKET", "quantity": "1", "quoteOrderQty": "1"}, -1128),
        ({"side": "BUY", "type": "MARKET", "quantity": "1", "timeInForce": "GTC"}, -1106),
        ({"side": "BUY", "type": "MARKET", "quantity": "1", "newClientOrderId": "a b"}, -1100),
        ({"side": "BUY", "type": "STOP_LOSS_LIMIT"}, -1102),
        ({"side": "BUY", "type": "MARKET", "quantity": "1", "stopPrice": "5"}, -1106),
        ({"side": "BUY", "type": "MARKET", "quantity": "1", "selfTradePreventionMode": "TRANSFER"}, -1013),
    ],
)
def test_an_order_of_the_wrong_shape_gets_the_venues_own_code(
    bench: Bench, params: dict[str, str], code: int
) -> None:
    with pytest.raises(ApiError) as refused:
        bench.venue.trading.place(bench.alice, bench.market, params)
    assert refused.value.code == code


BENCH = Bench()
BENCH.market.filters.rows.pop("PERCENT_PRICE_BY_SIDE")
steps = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bob"]),
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from(
            [
                "GTC",
                "GTC",
                "IOC",
                "FOK",
                "MARKET",
                "CANCEL",
                "ICEBERG",
                "STOP",
                "TRAIL",
                "OCO",
                "OTO",
                "OPO",
                "AMEND",
            ]
        ),
        st.integers(min_value=9_990, max_value=10_010),
        st.integers(min_value=1, max_value=70_000),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_trading_makes_no_money_and_loses_only_commissions(
    flow: list[tuple[str, str, str, int, int]],
) -> None:
    """Over any flow of orders: what both have and what was taken as commission is what they began with."""
    for account in (BENCH.alice, BENCH.bob):
        for order in list(account.open_orders()):
            if order.is_open:
                BENCH.venue.trading.cancel(account, BENCH.market, order)
        account.balances.clear()
        account.trades.clear()
        BENCH.fund(account, BTC="1", USDT="500")
    for who, side, kind, price, lots in flow:
        account = getattr(BENCH, who)
        for _order in range(3):
            BENCH.venue.limits.uncount_order(account.account_id)
        _act(account, side, kind, D(price) / 100, D(lots) / 100_000)
    taken = {"BTC": D(0), "USDT": D(0)}
    for account in (BENCH.alice, BENCH.bob):
        for fill in account.trades:
            taken[fill["commissionAsset"]] += D(fill["commission"])
        assert all(balance.free >= 0 and balance.locked >= 0 for balance in account.balances.values())
        for order in list(account.open_orders()):
            if order.is_open:
                BENCH.venue.trading.cancel(account, BENCH.market, order)
        assert not any(balance.locked for balance in account.balances.values()), "nothing stays locked"
    now = totals(BENCH.venue)
    assert (now["BTC"] + taken["BTC"], now["USDT"] + taken["USDT"]) == (D(2), D(1000))


def _stop(account: Account, side: str, price: Decimal, quantity: str) -> None:
    BENCH.order(account, side, "STOP_LOSS", quantity=quantity, stopPrice=str(price))


def _trail(account: Account, side: str, price: Decimal, quantity: str) -> None:
    limit = {"price": str(price), "timeInForce": "GTC", "trailingDelta": "10"}
    BENCH.order(account, side, "TAKE_PROFIT_LIMIT", quantity=quantity, **limit)


def _iceberg(account: Account, side: str, price: Decimal, quantity: str) -> None:
    part = str(D(quantity).quantize(D("0.1")) / 4)
    BENCH.order(account, side, price=str(price), quantity=quantity, icebergQty=part)


def _pair(side: str, price: Decimal, prefix: str = "") -> dict[str, str]:
    """A profit ten cents beyond the last price, and a stop at this price."""
    away = D("0.1") if side == "SELL" else -D("0.1")
    profit, stop = ("above", "below") if side == "SELL" else ("below", "above")
    names = {"Type": "LIMIT_MAKER", "Price": str(BENCH.market.last + away)}
    found = {f"{profit}{name}": value for name, value in names.items()}
    found |= {f"{stop}Type": "STOP_LOSS", f"{stop}StopPrice": str(price)}
    if not prefix:
        return found
    return {f"{prefix}{name[0].upper()}{name[1:]}": value for name, value in found.items()}


def _oco(account: Account, side: str, price: Decimal, quantity: str) -> None:
    BENCH.place_list(account, "oco", side=side, quantity=quantity, **_pair(side, price))


def _working(side: str, price: Decimal, quantity: str) -> dict[str, str]:
    return {"workingType": "LIMIT", "workingSide": side, "workingTimeInForce": "GTC", "workingPrice": str(price),
            "workingQuantity": quantity}  # fmt: skip


def _oto(account: Account, side: str, price: Decimal, quantity: str) -> None:
    other = "SELL" if side == "BUY" else "BUY"
    pending = {"pendingSide": other, "pendingQuantity": quantity, **_pair(other, price, "pending")}
    BENCH.place_list(account, "otoco", **_working(side, price, quantity), **pending)


def _opo(account: Account, side: str, price: Decimal, quantity: str) -> None:
    pending = {"pendingType": "MARKET", "pendingSide": "SELL"}
    BENCH.place_list(account, "opo", **_working("BUY", price, quantity), **pending)


def _amend(account: Account, side: str, price: Decimal, quantity: str) -> None:
    for order in list(account.open_orders())[:1]:
        BENCH.venue.trading.amend(account, BENCH.market, order, D(quantity), order.client_id)


KINDS: dict[str, Callable[[Account, str, Decimal, str], object]] = {
    "MARKET": lambda account, side, price, quantity: BENCH.order(account, side, "MARKET", quantity=quantity),
    "ICEBERG": _iceberg, "STOP": _stop, "TRAIL": _trail, "OCO": _oco, "OTO": _oto, "OPO": _opo, "AMEND": _amend,
}  # fmt: skip


def _act(account: Account, side: str, kind: str, price: Decimal, quantity: Decimal) -> None:
    try:
        if kind == "CANCEL":
            for order in list(account.open_orders())[:1]:
                BENCH.venue.trading.cancel(account, BENCH.market, order)
        elif kind in KINDS:
            KINDS[kind](account, side, price, str(quantity))
        else:
            BENCH.order(account, side, price=str(price), quantity=str(quantity), timeInForce=kind)
    except ApiError:
        return
