"""A query whose SQL is made once gives what the ORM gives."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q, Subquery
from django.test.utils import CaptureQueriesContext

from exchange.prepared import Given, Prepared, insert, update
from markets.models import Asset, Candle, Market
from tests.factories import make_market

NAMED = Prepared(lambda: Market.objects.filter(symbol=Given("symbol")).select_related("base", "quote"))
SCALES = Prepared(lambda: Asset.objects.filter(code=Given("code")).values_list("code", "scale"))
MARKED: Prepared[Any] = Prepared(
    lambda: Asset.objects.filter(code=Given("code")).annotate(
        mark=Subquery(Asset.objects.filter(code=Given("mark")).values("code")[:1])
    )
)
SOME = Prepared(
    lambda: Asset.objects.filter(
        Q(code=Given("one")) | Q(code__gt=Given("one")), code__lt=Given("end")
    ).order_by("-code")
)


@pytest.fixture
def market(db: None) -> Market:
    return make_market()


def test_a_row_is_as_the_orm_gives_it(market: Market) -> None:
    found, usual = NAMED.get(symbol=market.symbol), Market.objects.get(pk=market.pk)
    fields = [field.attname for field in Market._meta.concrete_fields]
    assert [getattr(found, name) for name in fields] == [getattr(usual, name) for name in fields]
    assert isinstance(found.filters, list) and found == usual and not found._state.adding


def test_what_was_selected_along_costs_no_question(market: Market) -> None:
    with CaptureQueriesContext(connection) as asked:
        found = NAMED.get(symbol=market.symbol)
        assert (found.base.code, found.quote.code) == (market.base_id, market.quote_id)
    assert len(asked) == 1


def test_what_was_annotated_is_there_for_each_question(market: Market) -> None:
    assert MARKED.get(code=market.base_id, mark=market.base_id).mark == market.base_id
    assert MARKED.get(code=market.quote_id, mark="NOSUCH").mark is None


def test_the_next_question_has_its_own_values(market: Market) -> None:
    Asset.objects.filter(code=market.base_id).update(scale=7)
    Asset.objects.filter(code=market.quote_id).update(scale=5)
    assert SCALES.all(code=market.base_id) == [(market.base_id, 7)]
    assert SCALES.all(code=market.quote_id) == [(market.quote_id, 5)]
    assert SCALES.first(code="' OR 1=1 --") is None


def test_a_value_may_stand_in_several_places(db: None) -> None:
    Asset.objects.bulk_create([Asset(code=f"ZZ{letter}", scale=8) for letter in "ABCD"])
    assert [asset.code for asset in SOME.all(one="ZZB", end="ZZD")] == ["ZZC", "ZZB"]


def test_nothing_found_is_said_as_the_orm_says_it(market: Market) -> None:
    with pytest.raises(Market.DoesNotExist):
        NAMED.get(symbol="NOSUCH")
    assert NAMED.first(symbol="NOSUCH") is None


def test_a_changed_row_can_be_saved(market: Market) -> None:
    found = NAMED.get(symbol=market.symbol)
    found.rank = 77
    found.save(update_fields=["rank"])
    assert Market.objects.get(pk=market.pk).rank == 77


def test_amounts_stay_exact(market: Market) -> None:
    Asset.objects.filter(code=market.base_id).update(max_amount=Decimal("0.123456789012345678"))
    exact = Prepared(lambda: Asset.objects.filter(code=Given("code")).values_list("max_amount"))
    assert exact.get(code=market.base_id) == (Asset.objects.get(code=market.base_id).max_amount,)


def test_a_new_row_is_as_the_orm_writes_it(market: Market) -> None:
    fields = [field.attname for field in Candle._meta.concrete_fields if not field.primary_key]
    said = {
        "market": market, "interval": "1m", "open_at": datetime(2026, 1, 1, tzinfo=UTC), "open": Decimal("1.10"),
        "high": Decimal(2), "low": Decimal(1), "close": Decimal("1.5"), "volume": Decimal(0),
        "quote_volume": Decimal("0.000000000000000001"), "trades": 3, "is_closed": True,
    }  # fmt: skip
    usual = Candle.objects.create(**said)
    usual.delete()
    ours = Candle(**said)
    insert(ours)
    written = Candle.objects.get(pk=ours.pk)
    assert ours.pk and not ours._state.adding
    assert [getattr(written, name) for name in fields] == [getattr(usual, name) for name in fields]


def test_only_the_named_fields_are_written(market: Market) -> None:
    ours = Market.objects.get(pk=market.pk)
    Market.objects.filter(pk=market.pk).update(status="HALT")
    ours.rank, ours.status = 55, "BREAK"
    update(ours, "rank")
    assert Market.objects.values_list("rank", "status").get(pk=market.pk) == (55, "HALT")


def test_a_row_that_is_gone_is_not_written_in_silence(market: Market) -> None:
    with pytest.raises(Asset.DoesNotExist):
        update(Asset(code="GONE", scale=3), "scale")
