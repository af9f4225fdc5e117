"""What staff hear of the venue's catalogue: what narrows, stops, comes back, vanishes or is not known; each once."""

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from exchange.office.models import AuditRecord, Notice
from exchange.paper.catalogue import live_symbols
from markets import queries, services
from markets.limits import narrowed
from markets.models import Market
from markets.rules import Act, allows
from tests.factories import make_user
from tests.markets.test_rules import DATA
from tests.venue import Venue

pytestmark = pytest.mark.django_db
Body = dict[str, Any]


def symbol(base: str = "BTC", **changes: Any) -> Body:
    """A symbol in today's shape."""
    return {
        "symbol": f"{base}USDT",
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True,
        "filters": filters(),
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"], ["TRD_GRP_004"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": [
            "EXPIRE_TAKER",
            "EXPIRE_MAKER",
            "EXPIRE_BOTH",
            "DECREMENT",
            "TRANSFER",
        ],
        **changes,
    }


def filters(**changes: str | int) -> list[Body]:
    """Each filter with the numbers that are named anew."""
    found: list[Body] = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "0", "stepSize": "0"},
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9000000", "applyMinToMarket": True},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]
    return [
        item
        | {
            name: value
            for name, value in changes.items()
            if name in item and item["filterType"] != "MARKET_LOT_SIZE"
        }
        for item in found
    ]


def recorded(name: str) -> list[Body]:
    """What was listed against USDT and BTC."""
    body = json.loads(gzip.decompress((DATA / name).read_bytes()))
    return [row for row in body["symbols"] if row["quoteAsset"] in ("USDT", "BTC")]


@pytest.fixture
def carol() -> User:
    make_user("alice")
    return make_user("carol", is_staff=True)


@pytest.fixture
def says(venue: Venue) -> Callable[..., int]:
    """The venue lists these symbols, and the sweep looks."""

    def says(*symbols: Body, **more: Any) -> int:
        venue.on("GET", "/api/v3/exchangeInfo", (200, {"symbols": list(symbols), "rateLimits": [], **more}))
        return services.synchronise_catalogue()

    return says


def told() -> list[tuple[str, str]]:
    """Kind and body of every message, oldest first; all of them are carol's."""
    found = Notice.objects.order_by("id")
    assert {notice.user.email for notice in found if notice.user} <= {"carol@example.com"}
    return [(notice.kind, notice.body) for notice in found]


Says = Callable[..., int]


def test_what_the_venue_can_do_in_a_market_is_kept(says: Says) -> None:
    says(symbol(), symbol("ETH"), sors=[{"baseAsset": "BTC", "symbols": ["BTCUSDT", "BTCUSDC"]}])
    market = queries.market("BTCUSDT")
    assert market.abilities == [
        "ICEBERG", "OCO", "OTO", "OPO", "TRAILING_STOP", "CANCEL_REPLACE", "AMEND", "PEG", "SOR",
    ]  # fmt: skip
    assert market.permission_sets == [["SPOT", "MARGIN"], ["TRD_GRP_004"]]
    assert (market.default_stp_mode, market.stp_modes[-1]) == ("EXPIRE_MAKER", "TRANSFER")
    assert [market.symbol for market in queries.sor_group("BTC")] == ["BTCUSDT"]
    assert not queries.sor_group("ETH")


def test_permissions_of_an_older_venue_are_one_set(says: Says) -> None:
    older = symbol(permissions=["SPOT", "MARGIN"])
    del (
        older["permissionSets"],
        older["allowedSelfTradePreventionModes"],
        older["defaultSelfTradePreventionMode"],
    )
    says(older)
    market = queries.market("BTCUSDT")
    assert (market.permission_sets, market.stp_modes, market.default_stp_mode) == (
        [["SPOT", "MARGIN"]],
        [],
        "",
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"maxQty": "100"}, "LOT_SIZE maxQty 9000 → 100"),
        ({"minQty": "0.001"}, "LOT_SIZE minQty 0.00001 → 0.001"),
        ({"tickSize": "0.1"}, "PRICE_FILTER tickSize 0.01 → 0.1"),
        ({"maxNotional": "8999999.99999999"}, "NOTIONAL maxNotional 9000000 → 8999999.99999999"),
        ({"maxNumOrders": 199}, "MAX_NUM_ORDERS maxNumOrders 200 → 199"),
        ({"maxNumOrderLists": 19}, "MAX_NUM_ORDER_LISTS maxNumOrderLists 20 → 19"),
        ({"limit": 10}, "ICEBERG_PARTS limit 100 → 10"),
    ],
)
def test_a_limit_that_shrinks_is_told_once(
    says: Says, carol: User, changes: dict[str, Any], line: str
) -> None:
    says(symbol())
    for _sweep in range(2):
        says(symbol(filters=filters(**changes)))
    assert told() == [("market.limits", f"BTCUSDT: {line}")]


@pytest.mark.parametrize(
    "changes",
    [{"maxQty": "9000.1"}, {"maxQty": "9000.00"}, {"maxQty": "0"}, {"minQty": "0"}, {"maxNumOrders": 1000}],
)
def test_a_limit_that_grows_falls_away_or_is_only_written_differently_is_not_told(
    says: Says, carol: User, changes: dict[str, Any]
) -> None:
    says(symbol())
    says(symbol(filters=filters(**changes)))
    assert told() == []
    assert AuditRecord.objects.filter(action="market.changed").count() == 1


def test_a_limit_where_there_was_none_is_told(says: Says, carol: User) -> None:
    says(symbol())
    says(symbol(filters=[*filters(), {"filterType": "MAX_POSITION", "maxPosition": "10.5"}]))
    assert told() == [("market.limits", "BTCUSDT: MAX_POSITION maxPosition – → 10.5")]


def test_a_filter_under_its_newer_name_is_the_same_limit() -> None:
    before = [
        {"filterType": "MIN_NOTIONAL", "minNotional": "10"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "5", "multiplierDown": "0.2"},
    ]
    by_side = {"bidMultiplierUp": "5", "bidMultiplierDown": "0.2", "askMultiplierUp": "5"}
    after = [
        {"filterType": "NOTIONAL", "minNotional": "10.00000000", "maxNotional": "0"},
        {"filterType": "PERCENT_PRICE_BY_SIDE", **by_side, "askMultiplierDown": "0.5"},
    ]
    (found,) = narrowed(before, after)
    assert (found.name, found.before, found.after) == ("askMultiplierDown", Decimal("0.2"), Decimal("0.5"))


def test_a_market_that_stops_comes_back_and_vanishes_is_told_each_time(says: Says, carol: User) -> None:
    for status in ("TRADING", "HALT", "HALT", "CANCEL_ONLY", "TRADING"):
        says(symbol("ETH"), symbol(status=status))
    for _sweep in range(2):
        says(symbol("ETH"))
    says(symbol("ETH"), symbol())
    steps = [
        "TRADING → HALT",
        "HALT → CANCEL_ONLY",
        "CANCEL_ONLY → TRADING",
        "TRADING → GONE",
        "GONE → TRADING",
    ]
    assert told() == [("market.status", f"BTCUSDT: {step}") for step in steps]
    assert AuditRecord.objects.filter(action="market.changed", subject_id="BTCUSDT").count() == len(steps)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"filters": [*filters(), {"filterType": "T_PLUS_SELL", "endTime": 1}]}, "filter: T_PLUS_SELL"),
        ({"orderTypes": ["LIMIT", "FROLIC"]}, "order type: FROLIC"),
        ({"allowedSelfTradePreventionModes": ["NONE", "ASK"]}, "self-trade prevention: ASK"),
    ],
)
def test_a_word_that_nobody_knows_is_told_once_and_stops_nothing(
    says: Says, carol: User, changes: Body, line: str
) -> None:
    for _sweep in range(2):
        says(symbol(**changes), symbol("ETH", **changes))
    says(symbol(**changes), symbol("ETH", **changes), symbol("SOL", **changes))
    assert told() == [("market.unknown", line), ("market.new", "SOLUSDT: TRADING")]
    assert queries.market("BTCUSDT").is_trading


def test_a_state_that_nobody_knows_takes_no_new_orders(says: Says, carol: User) -> None:
    says(symbol())
    for _sweep in range(2):
        says(symbol(status="SIESTA"))
    assert told() == [("market.status", "BTCUSDT: TRADING → SIESTA"), ("market.unknown", "status: SIESTA")]
    assert not queries.market("BTCUSDT").is_trading


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        ("TRADING", [True, True]),
        *((status, [False, True]) for status in ("HALT", "BREAK", "CANCEL_ONLY", "END_OF_DAY", "SIESTA", "")),
        ("GONE", [False, False]),
    ],
)
def test_cancels_are_taken_as_long_as_the_market_is_there(status: str, allowed: list[bool]) -> None:
    assert [allows(status, act) for act in (Act.PLACE, Act.CANCEL)] == allowed


def test_many_changes_are_one_message(says: Says, carol: User) -> None:
    many = [f"COIN{number}" for number in range(150)]
    says(*map(symbol, many))
    Market.objects.update(is_listed=True)
    says(*(symbol(name, status="BREAK") for name in many))
    ((_kind, body),) = told()
    assert (len(body.splitlines()), body.splitlines()[-1]) == (101, "… +50")
    assert Notice.objects.get().subject.endswith(": 150")


def test_recordings_of_three_years_follow_each_other(says: Says, carol: User) -> None:
    """2021, 2023, and some symbols in the shape of 2026, the last of them twice."""
    years = [
        recorded("binance-2021-10-12.json.gz"),
        recorded("binance-cloud-2023-04-10.json.gz"),
        live_symbols()[1:],
    ]
    counts = [says(*symbols) for symbols in (*years, years[-1])]
    assert counts == [659, 819, 15, 15]
    found = told()
    kinds = ["market.new", *["market.status", "market.limits"] * 2]
    assert [kind for kind, _body in found] == kinds, "and no word was unknown"
    limits, statuses, of_2026 = found[2][1], found[3][1], found[4][1]
    assert "BTCUSDT: TRADING → GONE" in statuses.splitlines() or "… +" in statuses
    assert "BNBBTC: MARKET_LOT_SIZE maxQty 6231.50864975 → 3495.02892152" in limits.splitlines()
    assert not {line for line in limits.splitlines() if line.startswith("BTCUSDT: MARKET_LOT_SIZE")}, (
        "it grew"
    )
    assert any(": MAX_NUM_" in line for line in of_2026.splitlines()), "filters that are new since 2023"


# ------------------------------------------------------------------ markets nobody has listed, and the venue itself
def unlist(base: str) -> None:
    Market.objects.filter(symbol=f"{base}USDT").update(is_listed=False)


def test_staff_hear_of_markets_that_customers_do_not_see(carol: User, says: Callable[..., int]) -> None:
    says(symbol(), symbol("ADA"), symbol("NEO"))
    unlist("ADA")
    unlist("NEO")
    assert told() == []
    says(symbol(), symbol("ADA", status="HALT"), symbol("NEO", filters=filters(maxNumOrders=5)))
    assert told() == [
        ("market.status", "ADAUSDT: TRADING → HALT"),
        ("market.limits", "NEOUSDT: MAX_NUM_ORDERS maxNumOrders 200 → 5"),
    ]
    (record,) = AuditRecord.objects.filter(action="catalogue.changed")
    assert record.before == {"ADAUSDT": {"status": "TRADING"}, "NEOUSDT": {"filters": "…"}}
    assert record.after == {"ADAUSDT": {"status": "HALT"}, "NEOUSDT": {"filters": "…"}}


def test_new_markets_are_one_message_and_wait_for_staff(carol: User, says: Callable[..., int]) -> None:
    says(symbol())
    says(symbol(), symbol("NEO"), symbol("ADA", status="BREAK"))
    assert told() == [("market.new", "ADAUSDT: BREAK\nNEOUSDT: TRADING")]
    (record,) = AuditRecord.objects.filter(action="catalogue.changed")
    assert record.after == {"ADAUSDT": "new", "NEOUSDT": "new"}
    assert [market.symbol for market in queries.listed()] == ["BTCUSDT"]
    says(symbol(), symbol("NEO"), symbol("ADA", status="BREAK"))
    assert len(told()) == 1


def rate(limit: object, kind: str = "REQUEST_WEIGHT", interval: str = "MINUTE") -> Body:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": 1, "limit": limit}


def test_limits_of_the_venue_itself_are_told_when_they_shrink(carol: User, says: Callable[..., int]) -> None:
    most = {"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 1000}
    says(symbol(), rateLimits=[rate(6000)], exchangeFilters=[most])
    says(symbol(), rateLimits=[rate(7000)], exchangeFilters=[most | {"maxNumOrders": 2000}])
    assert told() == []
    says(
        symbol(),
        rateLimits=[rate(1200), rate(50, "ORDERS", "SECOND")],
        exchangeFilters=[most, {"filterType": "EXCHANGE_MOON"}],
    )
    assert told() == [
        (
            "market.limits",
            "*: REQUEST_WEIGHT 1 MINUTE 7000 → 1200\n*: ORDERS 1 SECOND – → 50\n"
            "*: EXCHANGE_MAX_NUM_ORDERS maxNumOrders 2000 → 1000",
        ),
        ("market.unknown", "filter: EXCHANGE_MOON"),
    ]


@pytest.mark.parametrize("odd", [None, "x", 5, [None], ["x"], [{}], [rate("many")], [rate(None)]])
def test_odd_limits_of_the_venue_stop_no_catalogue(carol: User, says: Callable[..., int], odd: Any) -> None:
    says(symbol(), rateLimits=[rate(6000)])
    assert says(symbol(status="HALT"), rateLimits=odd, exchangeFilters=odd) == 1
    assert Market.objects.get().status == "HALT"
