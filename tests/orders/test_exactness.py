"""Every symbol the venue ever listed: what is held and what is booked at its finest tick and step is exact."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from exchange.binance.models import ExchangeInfo, SymbolInfo
from exchange.money import decimals, round_down
from ledger import queries as books
from ledger import services as ledger
from ledger.models import Hold
from markets import rules as filters
from markets.models import Asset
from orders import rules
from tests.factories import balance, fund, make_user, venue_account

DATA = Path(__file__).resolve().parent.parent / "data" / "exchangeinfo"
FILES = ("binance-2021-10-12.json.gz", "binance-cloud-2023-04-10.json.gz")
SCALE = 8
ODD = Decimal(7)  # several ticks and steps, so that the last digits are not round


def recorded(name: str) -> tuple[SymbolInfo, ...]:
    body: dict[str, Any] = json.loads(gzip.decompress((DATA / name).read_bytes()))
    return ExchangeInfo.from_wire(body).symbols


def finest(symbol: SymbolInfo) -> tuple[Decimal, Decimal]:
    """An odd price and an odd quantity at the symbol's smallest tick and step."""
    tick, step = filters.tick_size(symbol.filters), filters.step_size(symbol.filters)
    return tick * ODD, step * ODD


@pytest.mark.parametrize(("name", "count"), [(FILES[0], 1695), (FILES[1], 2183)])
def test_a_hold_covers_every_symbols_finest_order_to_the_unit(name: str, count: int) -> None:
    symbols = recorded(name)
    assert len(symbols) == count
    unit = Decimal(1).scaleb(-SCALE)
    below = 0
    for symbol in symbols:
        price, quantity = finest(symbol)
        held = rules.hold_of("BUY", quantity=quantity, price=price, quote_quantity=None, quote_scale=SCALE)
        below += decimals(price * quantity) > SCALE
        assert 0 <= held - price * quantity < unit, symbol.symbol
        assert decimals(quantity) <= SCALE, symbol.symbol
    assert below > 0, "some symbol's tick × step is finer than the books"


@pytest.mark.parametrize("name", FILES)
def test_fills_finer_than_the_books_are_booked_as_the_venue_reports_them(db: None, name: str) -> None:
    """For every symbol whose tick × step is below the scale: hold, two fills, release; nothing is lost or made."""
    alice = make_user()
    account = venue_account()
    fine = [s for s in recorded(name) if decimals(finest(s)[0] * finest(s)[1]) > SCALE]
    assert fine
    for number, symbol in enumerate(fine, start=1):
        life_of(symbol, number, alice, account.pk)
    assert books.first_broken_row() == ""


def life_of(symbol: SymbolInfo, number: int, alice: User, account_id: int) -> None:
    Asset.objects.get_or_create(code=symbol.base)
    fund(alice, symbol.quote, "1")
    before, owned = balance(alice, symbol.quote)[0], balance(alice, symbol.base)[0]
    price, quantity = finest(symbol)
    amount = rules.hold_of("BUY", quantity=quantity * 2, price=price, quote_quantity=None, quote_scale=SCALE)
    ledger.hold(user_id=alice.pk, asset=symbol.quote, amount=amount, cause=Hold.Cause.ORDER, cause_id=number)
    paid = round_down(price * quantity, SCALE)  # as the venue rounds
    for trade in range(2):
        ledger.post_fill(
            ledger.FillPosting(
                key=f"{account_id}:{symbol.symbol}:{trade}",
                user_id=alice.pk,
                venue_account_id=account_id,
                order_id=number,
                side="BUY",
                base=symbol.base,
                quote=symbol.quote,
                quantity=quantity,
                quote_quantity=paid,
                fee=Decimal(0),
                commission=Decimal(0),
                commission_asset="",
            )
        )
    ledger.release(cause=Hold.Cause.ORDER, cause_id=number)
    assert balance(alice, symbol.quote) == ((before - 2 * paid).normalize(), 0), symbol.symbol
    assert balance(alice, symbol.base) == ((owned + 2 * quantity).normalize(), 0), symbol.symbol
