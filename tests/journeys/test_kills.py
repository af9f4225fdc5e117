"""Any process may die or freeze at any moment: it comes back, nothing is lost, nothing is done twice."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.journeys.people import AppCustomer, StaffMember, eventually
from tests.journeys.site import Site, running_site

pytestmark = pytest.mark.xdist_group("kills")
# The waits of a real installation, scaled down.
QUICK = {
    "FAILPOINTS": "on",
    "ORDER_SEND_BY_MS": "1500",
    "BINANCE_RECV_WINDOW_MS": "2000",
    "ORDER_RESOLVE_MARGIN_MS": "1500",
    "SWEEP_SECONDS": "1",
    "POLL_SECONDS": "2",
    "WITHDRAWAL_HOLD_MINUTES": "0",
}
POINTS = ("order.held", "order.sent", "order.settling", "ledger.posted")
MONEY_POINTS = (
    "deposit.credited",
    "deposit.swept",
    "withdrawal.taken",
    "withdrawal.sent",
    "withdrawal.settling",
)
ORDERS = 10


@pytest.fixture(scope="module")
def fragile() -> Iterator[Site]:
    with running_site(**QUICK) as site:
        yield site
        print("hits of each point:", hits(site))


@pytest.fixture
def alice(fragile: Site) -> AppCustomer:
    customer = AppCustomer(fragile, "alice@example.com")
    eventually(lambda: customer.signed_in(fragile.passwords["alice"]), what="alice to sign in")
    eventually(lambda: customer.available("USDT") > 0, what="alice's deposit")
    return customer


def arm(site: Site, what: str) -> None:
    folder = site.state / "failpoints"
    folder.mkdir(exist_ok=True)
    (folder / "armed").write_text(what)


def hits(site: Site) -> dict[str, int]:
    folder = site.state / "failpoints"
    return {
        point: len(file.read_text().split())
        for point in POINTS + MONEY_POINTS
        if (file := folder / f"{point}.hits").is_file()
    }


def is_whole(site: Site) -> bool:
    """Books live, the user stream followed, sweeps running."""
    try:
        now = requests.get(f"{site.url}/status.json", timeout=5).json()
    except (OSError, ValueError):
        return False
    books = {book["state"] for book in now["books"].values()}
    return (
        books == {"LIVE"}
        and now["user_streams"][0]["state"] == "SUBSCRIBED"
        and now["sweeps"]["state"] == "OK"
    )


def buy(customer: AppCustomer) -> str:
    """A small market order, asked for under one nonce until the answer is an order; gives the nonce."""
    ticket = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quote_quantity": "25"}
    nonce = uuid4().hex

    def is_answered() -> bool:
        with suppress(requests.exceptions.RequestException, ValueError):
            # 409 and 503: closed or away for a moment
            answer = customer.post(
                "orders/", {**ticket, "client_order_id": nonce}, expect=(201, 202, 409, 503)
            )
            return "id" in answer
        return False

    eventually(is_answered, what="an answer to an order", seconds=90)
    return nonce


def settled(site: Site) -> None:
    """Every order is final, nothing is held for one, and the books agree with themselves and with the venue."""
    eventually(lambda: not rows(site, UNFINISHED), what="every order to end")
    assert rows(site, "SELECT count(*) FROM ledger_hold WHERE is_open AND cause = 'ORDER'") == [(0,)]
    assert site.trial_balance() == {}
    assert "the books balance" in site.manage("ledger_verify")
    eventually(lambda: agrees(site), what="the books and the venue to agree", seconds=20)


UNFINISHED = "SELECT id, status FROM orders_order WHERE finished_at IS NULL"


def agrees(site: Site) -> bool:
    try:
        return "agree" in site.manage("ledger_compare")
    except AssertionError:
        return False


def rows(site: Site, query: str) -> list[tuple[object, ...]]:
    with site.database() as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("name", ["web", "worker", "beat", "markets", "executions", "payouts", "paper"])
def test_a_killed_process_comes_back_alone(fragile: Site, alice: AppCustomer, name: str) -> None:
    before = fragile.pids()
    os.kill(before[name] or 0, signal.SIGKILL)
    eventually(lambda: fragile.pid_of(name) not in (None, before[name]), what=f"{name} to come back")
    after = fragile.pids()
    assert {other: pid for other, pid in after.items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }
    eventually(lambda: is_whole(fragile), what="the site to recover", seconds=60)
    eventually(lambda: filled(fragile, buy(alice)), what="an order to fill")


def filled(site: Site, nonce: str) -> bool:
    with site.database() as connection:
        found = connection.execute("SELECT status FROM orders_order WHERE nonce = %s", [nonce]).fetchone()
    return found == ("FILLED",)


def bought_at_once(alice: AppCustomer) -> list[str]:
    """The nonces of ten orders from two hands."""
    with ThreadPoolExecutor(2) as hands:
        return list(hands.map(lambda _order: buy(alice), range(ORDERS)))


def outcomes(site: Site, nonces: list[str]) -> list[tuple[Any, ...]]:
    """Of each of these orders: its status, what was paid and what was received for it, by its fills."""
    query = (
        "SELECT o.status, coalesce(sum(f.quote_quantity), 0), coalesce(sum(f.quantity - f.fee), 0)"
        " FROM orders_order o LEFT JOIN orders_fill f ON f.order_id = o.id"
        " WHERE o.nonce = ANY(%s) AND o.finished_at IS NOT NULL GROUP BY o.id"
    )
    with site.database() as connection:
        return connection.execute(query, [nonces]).fetchall()


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_named_point_loses_nothing_and_doubles_nothing(
    fragile: Site, alice: AppCustomer, point: str, figure: Callable[[str], None]
) -> None:
    eventually(lambda: not rows(fragile, UNFINISHED), what="orders of before to end")
    before, usdt, btc = hits(fragile).get(point, 0), alice.available("USDT"), alice.available("BTC")
    arm(fragile, f"{point}=kill")
    nonces = bought_at_once(alice)
    eventually(lambda: is_whole(fragile), what="the site to recover", seconds=60)
    assert not (fragile.state / "failpoints" / "armed").exists(), "nobody passed the point"
    settled(fragile)
    found = outcomes(fragile, nonces)
    filled = [status for status, _paid, _received in found].count("FILLED")
    assert len(found) == ORDERS
    assert filled >= ORDERS - 2, "more was given up than what was under way when the process died"
    assert alice.available("USDT") == usdt - sum(paid for _status, paid, _received in found)
    assert alice.available("BTC") == btc + sum(received for _status, _paid, received in found)
    assert (alice.balance("USDT")["held"], alice.balance("BTC")["held"]) == ("0", "0")
    figure(f"{hits(fragile)[point] - before} hits of {point}, one of them fatal; {filled} of {ORDERS} filled")


def test_a_sender_frozen_between_hold_and_sending_sends_nothing_when_it_wakes(
    fragile: Site, alice: AppCustomer
) -> None:
    held = alice.balance("USDT")
    known = rows(fragile, "SELECT count(*) FROM orders_fill")
    arm(fragile, "order.held=stop")
    asking = threading.Thread(target=buy, args=(alice,))
    asking.start()
    sleeper = eventually(lambda: stopped(fragile, "web"), what="the sender to freeze")
    eventually(lambda: not rows(fragile, UNFINISHED), what="the sweep to give the order up", seconds=30)
    time.sleep(1)
    os.kill(sleeper, signal.SIGCONT)
    asking.join()
    settled(fragile)
    assert rows(fragile, "SELECT count(*) FROM orders_fill") == known
    assert alice.balance("USDT") == held
    released = "SELECT count(*) FROM ledger_transfer WHERE kind = 'RELEASE' GROUP BY key HAVING count(*) > 1"
    assert rows(fragile, released) == []


def stopped(site: Site, name: str) -> int | None:
    """The pid of the process when it is frozen."""
    pid = site.pid_of(name)
    if pid is None:
        return None
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return pid if file.read().rpartition(")")[2].split()[0] == "T" else None


# ------------------------------------------------------------------ money in and out
def armed(site: Site) -> bool:
    return (site.state / "failpoints" / "armed").exists()


@pytest.mark.parametrize("point", ["deposit.credited", "deposit.swept"])
def test_a_kill_in_a_deposit_credits_it_once_and_sweeps_it_once(
    fragile: Site, alice: AppCustomer, point: str, figure: Callable[[str], None]
) -> None:
    before, amount = alice.available("USDT"), Decimal("123.456789")
    address = alice.post("deposit-address/", {"asset": "USDT", "network": "TRX"}, expect=200)
    arm(fragile, f"{point}=kill")
    fragile.paper_deposit("USDT", "TRX", f"{amount}", address["address"], address["tag"])
    eventually(lambda: not armed(fragile), what=f"somebody to die at {point}")
    eventually(lambda: alice.available("USDT") == before + amount, what="the deposit to be credited")
    eventually(lambda: not rows(fragile, UNSWEPT), what="the deposit to be swept")
    settled(fragile)
    assert alice.available("USDT") == before + amount
    figure(f"{hits(fragile)[point]} hits of {point}, one of them fatal")


UNSWEPT = "SELECT id FROM ledger_deposit WHERE swept_at IS NULL OR status <> 'CREDITED'"


class Payer(AppCustomer):
    """alice with a second factor, whose recovery codes need no waiting."""

    codes: list[str]

    def next_code(self) -> str:
        return self.codes.pop() if self.codes else super().next_code()


@pytest.fixture(scope="module")
def payer(fragile: Site) -> Payer:
    """Comes after every test that signs alice in by her password alone."""
    customer = Payer(fragile, "alice@example.com")
    customer.codes = []
    password = fragile.passwords["alice"]
    eventually(lambda: customer.signed_in(password), what="alice to sign in")
    customer.activate_totp(password)
    customer.codes = customer.door("GET", "account/authenticators/recovery-codes")["data"]["unused_codes"]
    return customer


def withdraw(payer: Payer, carol: StaffMember) -> int:
    """A withdrawal of 50 USDT that may be sent."""
    request = {
        "asset": "USDT",
        "network": "TRX",
        "address": "TJ6Piuaw35M4PM54CzWFqzEPP998yXydc6",
        "amount": "50",
        "fee": "1",
    }
    asked = payer.post(
        "withdrawals/", {**request, "nonce": uuid4().hex, "code": payer.next_code()}, expect=201
    )
    token = carol.confirmation_mailed_to(payer.email).partition("token=")[2]
    payer.post(f"withdrawals/{asked['id']}/confirm/", {"token": token}, expect=200)
    carol.approve_withdrawal(asked["id"])
    return int(asked["id"])


@pytest.mark.parametrize("point", ["withdrawal.sent", "withdrawal.settling"])
def test_a_kill_in_a_withdrawal_sends_it_once_and_books_it_once(
    fragile: Site, payer: Payer, point: str, figure: Callable[[str], None]
) -> None:
    before, sent = payer.available("USDT"), fragile.paper_withdrawals()
    arm(fragile, f"{point}=kill")
    number = withdraw(payer, StaffMember(fragile, "carol"))
    eventually(lambda: not armed(fragile), what=f"somebody to die at {point}")
    eventually(lambda: payer.withdrawal_if(number, "COMPLETED"), what="the withdrawal to complete")
    settled(fragile)
    assert fragile.paper_withdrawals() == sent + 1
    assert payer.balance("USDT")["held"] == "0"
    assert payer.available("USDT") == before - 50
    booked = f"SELECT count(*) FROM ledger_transfer WHERE reference = 'WITHDRAWAL:{number}' AND kind = 'WITHDRAWAL'"
    assert rows(fragile, booked) == [(1,)]
    figure(f"{hits(fragile)[point]} hits of {point}, one of them fatal")


def test_a_kill_before_a_withdrawal_leaves_sends_nothing_and_is_put_before_staff(
    fragile: Site, payer: Payer, figure: Callable[[str], None]
) -> None:
    """Whether it left cannot be known: the money stays held, and a person decides after the venue kept silent."""
    point, before, sent = "withdrawal.taken", payer.available("USDT"), fragile.paper_withdrawals()
    arm(fragile, f"{point}=kill")
    number = withdraw(payer, StaffMember(fragile, "carol"))
    eventually(lambda: not armed(fragile), what=f"somebody to die at {point}")
    eventually(lambda: fragile.pid_of("payouts"), what="payouts to come back")
    long_ago = f"UPDATE ledger_withdrawal SET moved_at = now() - interval '1 hour' WHERE id = {number}"
    with fragile.database() as connection:
        connection.execute(long_ago)
    asked = f"SELECT 1 FROM ledger_ledgerexception WHERE detail->>'withdrawal' = '{number}'"
    eventually(lambda: rows(fragile, asked), what="staff to be asked")
    settled(fragile)
    assert fragile.paper_withdrawals() == sent
    assert payer.withdrawal_if(number, "SENDING")
    assert payer.available("USDT") == before - 50
    assert payer.balance("USDT")["held"] == "50"
    figure(f"{hits(fragile)[point]} hits of {point}, one of them fatal")


def test_a_sender_that_wakes_after_the_refund_pays_nobody(fragile: Site, payer: Payer) -> None:
    """It fell asleep between its last look at the clock and the wire; meanwhile four eyes gave the money back."""
    carol, dave = StaffMember(fragile, "carol"), StaffMember(fragile, "dave")
    before, sent = payer.balance("USDT"), sent_by_the_venue(fragile)
    arm(fragile, "withdrawal.taken=stop")
    number = withdraw(payer, carol)
    sleeper = eventually(lambda: stopped(fragile, "payouts"), what="the sender to freeze")
    with fragile.database() as connection:
        long_ago = "UPDATE ledger_withdrawal SET moved_at = now() - interval '1 hour' WHERE id = %s"
        connection.execute(long_ago, [number])
    carol.decide(f"ledger/withdrawal/{number}/refund", "the venue never had it")
    request = dave.find_id("office/approval", "")
    dave.decide(f"office/approval/{request}/grant", "nor do I find it there")
    eventually(lambda: payer.withdrawal_if(number, "FAILED"), what="the refund")
    time.sleep(int(QUICK["BINANCE_RECV_WINDOW_MS"]) / 1000)  # no refund is asked for so early in real life
    os.kill(sleeper, signal.SIGCONT)
    refused = f"withdrawal={number} code=-1021"
    eventually(lambda: refused in fragile.output, what="the venue to refuse what comes so late")
    settled(fragile)
    assert sent_by_the_venue(fragile) == sent
    assert payer.balance("USDT") == before


def sent_by_the_venue(site: Site) -> int:
    """How many withdrawals the venue has taken."""
    state = requests.get(f"{site.environment['BINANCE_SAPI_URL']}/paper/state", timeout=10)
    return int(state.json()["withdrawals"])
