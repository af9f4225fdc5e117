"""Converting on the pages, without script too; and what staff see."""

import re

import pytest
from django.test import Client

from accounts.models import User
from exchange.conversions import services
from exchange.conversions.models import Conversion, Cover, MarginRule, Quote
from ledger.models import Transfer
from tests.conversions.desk import Desk, accept, convert, quote, run_out
from tests.factories import make_user


@pytest.fixture
def browser(alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def page_of(browser: Client, path: str) -> str:
    answer = browser.get(path, follow=True)
    assert answer.status_code == 200, path
    return answer.content.decode()


WISH = {"from_asset": "USDT", "to_asset": "BTC", "from_amount": "1000", "to_amount": ""}


def test_from_the_wish_to_the_receipt_and_the_history(browser: Client, desk: Desk) -> None:
    assert "Get a quote" in page_of(browser, "/convert/")
    asked = browser.post("/convert/", WISH)
    found = Quote.objects.get()
    assert asked.headers["Location"] == f"/convert/quotes/{found.pk}/"
    page = page_of(browser, f"/convert/quotes/{found.pk}/")
    assert "The house bears a move until the quote ends" in page
    assert "0.02491878" in page and "Convert at this price" in page and "book 1" in page
    used = browser.post(f"/convert/quotes/{found.pk}/accept/")
    done = Conversion.objects.get()
    assert used.headers["Location"] == f"/convert/{done.pk}/"
    for path in (f"/convert/{done.pk}/", f"/convert/quotes/{found.pk}/"):
        assert "0.02491878" in page_of(browser, path)
    assert f'href="/convert/{done.pk}/"' in page_of(browser, "/convert/")


def test_the_statement_and_the_explanation_name_it(browser: Client, desk: Desk, alice: User) -> None:
    done = convert(alice)
    for asset in ("USDT", "BTC"):
        assert f'href="/convert/{done.pk}/"' in page_of(browser, f"/wallet/{asset}/")
        assert "Conversions" in page_of(browser, f"/wallet/{asset}/explain/")
        assert "conversion" in page_of(browser, f"/wallet/{asset}/?kind=CONVERT").lower()
    assert f'href="/convert/{done.pk}/"' in page_of(browser, f"/wallet/transfers/{done.transfer_id}/")
    assert Transfer.objects.get(pk=done.transfer_id).kind == "CONVERT"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"to_asset": "USDT"}, "two different assets"),
        ({"to_amount": "1"}, "one of the two amounts"),
        ({"from_amount": ""}, "one of the two amounts"),
        ({"from_amount": "1"}, "at least about"),
        ({"from_amount": "abc"}, "plain number"),
        ({"from_amount": "1.000000001"}, "nearest 1"),
        ({"to_asset": "NOPE"}, "Select a valid choice"),
    ],
)
def test_a_bad_wish_stays_on_the_page_with_its_sentence(
    browser: Client, changes: dict[str, str], sentence: str
) -> None:
    answer = browser.post("/convert/", {**WISH, **changes})
    assert (answer.status_code, sentence in answer.content.decode()) == (400, True)
    assert not Quote.objects.exists()


def test_a_late_press_says_so_and_offers_a_new_quote(browser: Client, desk: Desk, alice: User) -> None:
    found = quote(alice)
    run_out(found)
    page = page_of_post(browser, f"/convert/quotes/{found.pk}/accept/")
    assert "This quote has expired; nothing was converted." in page
    assert re.search(r"data-standing hidden", page) and "Ask for a new quote" in page
    assert not Conversion.objects.exists()


def page_of_post(browser: Client, path: str) -> str:
    return browser.post(path, follow=True).content.decode()


def test_without_enough_money_the_quote_says_so_and_stands(browser: Client, desk: Desk, alice: User) -> None:
    bob = make_user("bob")
    browser.force_login(bob)
    found = quote(bob)
    page = page_of_post(browser, f"/convert/quotes/{found.pk}/accept/")
    assert "Convert at this price" in page and not Conversion.objects.exists()


def test_nobody_sees_what_is_anothers(browser: Client, desk: Desk, alice: User) -> None:
    found, done = quote(alice), convert(alice)
    browser.force_login(make_user("bob"))
    for path in (f"/convert/quotes/{found.pk}/", f"/convert/{done.pk}/"):
        assert browser.get(path).status_code == 404
    assert browser.post(f"/convert/quotes/{found.pk}/accept/", follow=True).status_code == 200
    assert Conversion.objects.count() == 1
    browser.logout()
    assert browser.get("/convert/").status_code == 302


def test_staff_see_quotes_conversions_covers_and_how_far_the_house_is_uncovered(
    browser: Client, desk: Desk, alice: User
) -> None:
    desk.is_away()
    done = accept(alice, quote(alice))
    carol = make_user("carol", is_staff=True, is_superuser=True)
    browser.force_login(carol)
    covers = page_of(browser, "/admin/conversions/cover/")
    assert "How far the house is uncovered" in covers and "-0.02494377" in covers.replace("−", "-")
    desk.fills()
    desk.sweep(3)
    for path in ("quote", "conversion", "cover", "coverorder", "marginrule"):
        page_of(browser, f"/admin/conversions/{path}/")
    page = page_of(browser, f"/admin/conversions/conversion/{done.pk}/change/")
    cover = Cover.objects.get()
    assert f"/admin/conversions/cover/{cover.pk}/change/" in page and " USDT" in page
    assert "/admin/orders/order/" in page_of(browser, f"/admin/conversions/cover/{cover.pk}/change/")
    assert "causeway_uncovered_worth" in page_of(browser, "/metrics")
    assert f"/admin/conversions/conversion/?q={alice.email.replace('@', '%40')}" in page_of(
        browser, f"/admin/accounts/user/{alice.pk}/change/"
    )


def test_staff_begin_and_end_a_margin(browser: Client) -> None:
    carol = make_user("carol", is_staff=True, is_superuser=True)
    browser.force_login(carol)
    browser.post("/admin/conversions/marginrule/add/", {"from_asset": "USDT", "to_asset": "BTC", "bps": "35"})
    rule = MarginRule.objects.get()
    assert (rule.from_asset_id, rule.to_asset_id, rule.bps) == ("USDT", "BTC", 35)
    browser.post("/admin/conversions/marginrule/", {"action": "end", "_selected_action": str(rule.pk)})
    rule.refresh_from_db()
    assert rule.ended_at is not None


def test_staff_hear_on_their_first_page_of_what_is_not_covered(
    browser: Client, desk: Desk, alice: User
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    desk.is_away()
    accept(alice, quote(alice))
    Cover.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    services.cover_positions()
    browser.force_login(make_user("carol", is_staff=True, is_superuser=True))
    assert "not covered: " in page_of(browser, "/admin/")
