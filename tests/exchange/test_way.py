"""The staff's live view of the way to the venue: what is used, who is banned, what is stopped and by whom."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from exchange.gate import services as gate
from exchange.gate.models import Inventory, Runway
from orders import services
from tests.factories import balance, fund, make_market, make_user, publish_book, venue_account
from tests.orders.test_placing import ticket
from tests.venue import Venue, error

WAY = "/admin/way/"


def page_of(*permissions: str) -> tuple[int, str]:
    """As somebody of staff with these permissions sees it, all white space as one blank."""
    staff = make_user("sam", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    browser.force_login(staff)
    answer = browser.get(WAY)
    return answer.status_code, " ".join(answer.content.decode().split())


@pytest.fixture
def alice(db: None, venue: Venue) -> User:
    make_market()
    venue_account()
    publish_book()
    user = make_user()
    fund(user, "USDT", "100000")
    return user


def test_an_order_is_seen_in_the_budgets_of_address_and_account(alice: User, venue: Venue) -> None:
    venue.places()
    services.place_order(user=alice, ticket=ticket())
    status, page = page_of("view_venueaccount")
    assert status == 200
    assert (
        '<th scope="row">account:primary</th><td>unfilled orders</td> <td class="num">10 s</td><td class="num">1<'
        in page
    )
    assert "place: 1" in page and "Nothing is stopped." in page


def test_a_ban_is_shown_with_its_end(alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", error(-1003, "Way too many requests.", 418))
    services.place_order(user=alice, ticket=ticket())
    _status, page = page_of("view_venueaccount")
    assert '<tr class="desk-short"> <th scope="row">egress:default</th><td>20' in page
    assert balance(alice, "USDT") == (100000, 0)


def test_who_stopped_what_and_why_is_shown(alice: User) -> None:
    boss = make_user("boss", is_staff=True)
    gate.flip_switch(by=boss, scope="API", reason="a robot went wild")
    _status, page = page_of("view_venueaccount", "view_switch")
    assert "orders by the API" in page and "boss@example.com" in page and "a robot went wild" in page


def test_what_lies_in_an_account_and_how_long_it_lasts_is_shown(alice: User) -> None:
    account = venue_account()
    Inventory.objects.create(venue_account=account, asset="BTC", free=Decimal("1.5"), locked=0, told_ms=1)
    Runway.objects.create(
        venue_account=account, asset="BTC", free=Decimal("1.5"), needed=Decimal("0.25"), hourly=Decimal("0.5"),
        hours=Decimal("2.5"), is_low=True, judged_at=account.created_at,
    )  # fmt: skip
    _status, page = page_of("view_venueaccount")
    assert (
        '<th scope="row">BTC</th><td class="num">1.5</td><td class="num">0.25</td><td class="num">2.5</td>'
        in page
    )


def test_it_is_for_those_who_may_see_accounts(alice: User) -> None:
    assert page_of()[0] == 403
