"""What a quote says, and when there is none."""

from decimal import Decimal
from typing import Any

import pytest

from accounts import services as accounts
from accounts.models import User
from exchange.conversions import services
from exchange.conversions.errors import TooSmall
from exchange.conversions.models import Quote
from exchange.gate import services as gate
from markets.models import Asset, Market
from tests.conversions.desk import D, convert, quote, refused, run_out, wish
from tests.factories import fund, make_user, publish_book, publish_ticker


def test_a_quote_says_what_is_given_and_what_is_got(alice: User) -> None:
    found = quote(alice)
    # 1,000 at 40,010 is 0.02499375 BTC; a fee of 10 and a margin of 20 basis points are taken off.
    assert found.gross == D("0.02499375")
    assert (found.fee, found.margin) == (D("0.00002499"), D("0.00004998"))
    assert (found.from_amount, found.to_amount) == (D(1000), D("0.02491878"))
    (leg,) = found.legs
    assert (leg["symbol"], leg["side"], leg["average"], leg["u"]) == ("BTCUSDT", "BUY", "40010", 1)
    # What is owed and the fee are bought; the margin is not.
    assert D(leg["quantity"]) == found.to_amount + found.fee
    assert (found.expires_at - found.created_at).total_seconds() == 8


def test_what_is_wanted_can_be_named_instead(alice: User) -> None:
    found = quote(alice, from_amount=None, to_amount=D("0.025"))
    assert found.to_amount == D("0.025")
    assert found.gross == D("0.02507523")
    assert found.from_amount == (found.gross * D(40010)).quantize(D("1e-8"))
    assert found.fee + found.margin == found.gross - D("0.025")


def test_a_sale_is_walked_on_the_other_side(alice: User) -> None:
    found = quote(alice, from_asset="BTC", to_asset="USDT", from_amount=D("0.123456789"[:10]))
    assert found.legs[0]["side"] == "SELL"
    assert found.gross == D("0.12345678") * 40000
    assert D(found.legs[0]["quantity"]) == D("0.12345678")
    wanted = quote(alice, from_asset="BTC", to_asset="USDT", from_amount=None, to_amount=D(4000))
    assert (wanted.to_amount, wanted.gross) == (D(4000), D("4012.03610833"))
    assert wanted.from_amount == D(
        "0.10030091"
    )  # rounded up: a part of a unit more, and never more than that


def test_a_large_one_is_walked_down_the_book(alice: User, settings: Any) -> None:
    settings.CONVERT_UNCOVERED_LIMIT = D(500_000)
    fund(alice, "USDT", "400000")
    found = quote(alice, from_amount=D("240090"))
    # 5 at 40,010 and the rest at 40,020.
    assert found.gross == D("6.00049975")
    assert found.legs[0]["worst"] == "40020"


@pytest.mark.parametrize("by_to", [False, True])
def test_rounding_is_never_more_than_a_unit_against_the_customer(alice: User, by_to: bool) -> None:
    for amount in ("7.77777777", "33.33333333", "1234.56789012"):
        found = quote(
            alice,
            **(
                {"from_amount": D(amount)}
                if not by_to
                else {"from_amount": None, "to_amount": D(amount) / 10000 // D("1e-8") * D("1e-8")}
            ),
        )
        exact = found.gross * (1 - D(found.fee_bps + found.margin_bps) / 10000)
        assert abs(exact - found.to_amount) <= D("2e-8")
        assert 0 <= found.from_amount - found.gross * D(40010) < D("0.00040011")
        run_out(found)


# ------------------------------------------------------------------ which way
def test_the_better_of_two_ways_is_taken_and_the_other_kept_on_record(alice: User) -> None:
    fund(alice, "ETH", "10")
    direct = quote(alice, from_asset="ETH", to_asset="BTC", from_amount=D(1))
    # Over USDT: 2,000 / 40,010 is 0.04998750, more than 0.0499, but it costs a second fee.
    assert [leg["symbol"] for leg in direct.legs] == ["ETHUSDT", "BTCUSDT"]
    assert (direct.fee_bps, direct.gross) == (20, D("0.04998750"))
    assert direct.passed_over == [{"route": "SELL ETHBTC", "from_amount": "1", "to_amount": "0.0497503"}]
    publish_book("ETHBTC", bids=[("0.04997", "50")], asks=[("0.05010", "50")])
    assert [
        leg["symbol"] for leg in quote(alice, from_asset="ETH", to_asset="BTC", from_amount=D(1)).legs
    ] == ["ETHBTC"]


def test_without_a_market_of_the_two_a_bridge_is_taken(alice: User) -> None:
    fund(alice, "ETH", "10")
    Market.objects.filter(symbol="ETHBTC").update(status="HALT")
    found = quote(alice, from_asset="BTC", to_asset="ETH", from_amount=D("0.1"))
    first, second = found.legs
    assert (first["symbol"], first["side"], D(first["quantity"])) == ("BTCUSDT", "SELL", D("0.1"))
    assert (second["symbol"], second["side"]) == ("ETHUSDT", "BUY")
    assert D(second["quantity"]) == found.to_amount + found.fee
    assert found.fee_bps == 20


def test_the_margin_of_a_pair_goes_before_the_usual_one(alice: User, db: None) -> None:
    carol = make_user("carol", is_staff=True)
    services.begin_margin(from_asset=None, to_asset="BTC", bps=50, by=carol)
    assert quote(alice).margin_bps == 50
    rule = services.begin_margin(from_asset="USDT", to_asset="BTC", bps=0, by=carol)
    found = quote(alice)
    assert (found.margin_bps, found.margin, found.margin_rule) == (0, 0, rule)
    assert quote(alice, from_asset="BTC", to_asset="USDT", from_amount=D(1)).margin_bps == 20
    services.end_margin(rule_id=rule.pk, by=carol)
    assert quote(alice).margin_bps == 50
    assert (
        refused(lambda: services.begin_margin(from_asset=None, to_asset="BTC", bps=1, by=carol)) == "conflict"
    )


# ------------------------------------------------------------------ refusals
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to_asset": "USDT"}, "same_asset"),
        ({"to_asset": "NOPE"}, "unknown_asset"),
        ({"from_asset": "btc"}, "unknown_asset"),
        ({"to_amount": D(1)}, "one_amount"),
        ({"from_amount": None}, "one_amount"),
        ({"from_amount": D("1.000000001")}, "too_precise"),
        ({"from_amount": D("4.9")}, "too_small"),
        ({"from_amount": D("0.00000001")}, "too_small"),
        ({"from_amount": None, "to_amount": D("0.0001")}, "too_small"),
        ({"from_amount": D(700_000)}, "beyond_depth"),
        ({"from_amount": None, "to_amount": D(16)}, "beyond_depth"),
        ({"from_amount": D(99_999_999)}, "beyond_depth"),
    ],
)
def test_what_cannot_be_quoted_is_refused(alice: User, changes: dict[str, Any], code: str) -> None:
    assert refused(lambda: quote(alice, **changes)) == code
    assert not Quote.objects.exists()


def test_the_least_that_is_named_is_enough(alice: User) -> None:
    for changes in ({"from_amount": D(1)}, {"from_amount": None, "to_amount": D("0.00001")}):
        with pytest.raises(TooSmall) as refusal:
            quote(alice, **changes)
        name = "to_amount" if "to_amount" in changes else "from_amount"
        assert quote(alice, **{"from_amount": None, name: Decimal(refusal.value.nearest)})


@pytest.mark.parametrize(
    ("book", "code"),
    [
        ({"state": "SYNCING"}, "prices_delayed"),
        ({"state": "STALE"}, "prices_delayed"),
        ({"age_ms": 11_000}, "prices_delayed"),
        ({"asks": []}, "no_liquidity"),
    ],
)
def test_a_book_that_is_not_of_now_gives_no_price(alice: User, book: dict[str, Any], code: str) -> None:
    publish_book("BTCUSDT", **book)
    assert refused(lambda: quote(alice)) in (code, "prices_delayed")


@pytest.mark.parametrize("factor", ["100", "0.01"])
def test_a_book_that_jumped_is_not_believed(alice: User, factor: str) -> None:
    ask, bid = D(40010) * D(factor), D(40000) * D(factor)
    publish_book("BTCUSDT", bids=[(f"{bid:.2f}", "5")], asks=[(f"{ask:.2f}", "5")])
    publish_ticker("BTCUSDT", "40000")
    assert refused(lambda: quote(alice)) == "prices_unsure"


def test_who_may_not_trade_gets_no_quote(alice: User) -> None:
    assert refused(lambda: quote(make_user("erin", tier=0))) == "tier_too_low"
    accounts.freeze(alice.pk, "looked at")
    assert refused(lambda: quote(User.objects.get(pk=alice.pk))) == "account_frozen"


def test_what_staff_have_stopped_is_not_quoted(alice: User) -> None:
    carol = make_user("carol", is_staff=True)
    gate.flip_switch(scope="SIDE", side="BUY", market="BTCUSDT", by=carol, reason="odd")
    assert refused(lambda: quote(alice)) == "trading_stopped"
    assert quote(alice, from_asset="BTC", to_asset="USDT", from_amount=D(1))


def test_a_way_that_is_stopped_leaves_the_other(alice: User) -> None:
    fund(alice, "ETH", "10")
    carol = make_user("carol", is_staff=True)
    gate.flip_switch(scope="MARKET", market="ETHUSDT", by=carol, reason="odd")
    found = quote(alice, from_asset="ETH", to_asset="BTC", from_amount=D(1))
    assert [leg["symbol"] for leg in found.legs] == ["ETHBTC"]
    assert found.passed_over == [{"route": "SELL ETHUSDT + BUY BTCUSDT", "refused": "trading_stopped"}]


def test_no_more_than_an_order_may_be_worth(alice: User, settings: Any) -> None:
    settings.ORDER_VALUE_LIMITS = [D(0), D(900)]
    assert refused(lambda: quote(alice)) == "too_large"
    assert quote(alice, from_amount=D(900))


def test_the_house_takes_no_more_than_it_may_be_uncovered_by(alice: User, settings: Any) -> None:
    settings.CONVERT_UNCOVERED_LIMIT = D(1500)
    assert refused(lambda: quote(alice, from_amount=D(1600))) == "house_is_full"
    assert quote(alice)


def test_only_a_few_stand_at_once(alice: User) -> None:
    found = [quote(alice) for _time in range(5)]
    assert refused(lambda: quote(alice)) == "too_many_quotes"
    run_out(found[0])
    assert quote(alice)


def test_a_new_market_can_be_converted_at_once(alice: User) -> None:
    Asset.objects.create(code="SOL")
    assert refused(lambda: quote(alice, to_asset="SOL")) == "unknown_asset"


def test_old_quotes_go_and_those_that_were_used_stay(alice: User, desk: Any) -> None:
    used, unused = convert(alice).quote, quote(alice)
    from datetime import timedelta

    Quote.objects.update(expires_at=used.expires_at - timedelta(days=8))
    assert services.prune_quotes() == 1
    assert Quote.objects.get() == used != unused


def test_a_wish_says_one_amount() -> None:
    assert wish().amount == 1000
