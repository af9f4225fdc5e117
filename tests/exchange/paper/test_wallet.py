"""Money in and out: confirmations, who owns an address, rules of withdrawals, transfers between accounts."""

import re
from typing import Any

import pytest

from exchange.paper.coins import COINS
from exchange.paper.errors import ApiError
from exchange.paper.venue import Venue
from exchange.paper.wallet import Row
from tests.exchange.paper.people import Bench, Caller, D, wait_for

TRON = "TJ6Piuaw35M4PM54CzWFqzEPP998yXydc6"


def pass_time(bench: Bench, steps: int = 1) -> None:
    for _step in range(steps):
        bench.venue.wallet._next_step = 0
        bench.venue.wallet.tick(1.0)


def arriving(bench: Bench, coin: str = "BTC", amount: str = "0.5") -> Row:
    return bench.venue.wallet.arrive({"coin": coin, "network": coin, "amount": amount})


def test_a_deposit_is_credited_with_its_confirmations_and_free_to_leave_later(bench: Bench) -> None:
    row, free = arriving(bench), bench.alice.balance("BTC")
    seen = [(row["status"], row["confirmTimes"], free.free)]
    for _step in range(2):
        pass_time(bench)
        seen.append((row["status"], row["confirmTimes"], free.free))
    assert seen == [(0, "0/2", D(0)), (6, "1/2", D("0.5")), (1, "2/2", D("0.5"))]


def test_a_deposit_is_credited_once_however_long_it_is_looked_at(bench: Bench) -> None:
    arriving(bench)
    pass_time(bench, steps=20)
    assert bench.alice.balance("BTC").free == D("0.5")


def test_the_account_hears_that_money_came(bench: Bench) -> None:
    heard = bench.hear(bench.alice)
    arriving(bench)
    pass_time(bench, steps=2)
    bench.venue.settle()
    assert [(event["e"], event.get("d")) for event in heard] == [
        ("balanceUpdate", "0.50000000"),
        ("outboundAccountPosition", None),
    ]


@pytest.mark.parametrize("coin", sorted(COINS))
def test_every_network_gives_each_account_one_valid_address_of_its_own(bench: Bench, coin: str) -> None:
    for network in COINS[coin][1]:
        mine, again, bobs = (
            bench.venue.wallet.address(account, coin, network.code)
            for account in (bench.alice, bench.alice, bench.bob)
        )
        assert re.fullmatch(network.regex, mine["address"])
        assert (mine == again, mine == bobs) == (True, False)
        assert not network.memo or re.fullmatch(network.memo, mine["tag"])


def test_a_deposit_goes_to_whose_address_and_tag_it_names(bench: Bench) -> None:
    known = bench.venue.wallet.address(bench.bob, "XRP", "XRP")
    bench.venue.wallet.arrive(
        {"coin": "XRP", "amount": "30", "address": known["address"], "tag": known["tag"]}
    )
    pass_time(bench, steps=3)
    assert (bench.bob.balance("XRP").free, bench.alice.balance("XRP").free) == (D(30), D(0))


def test_a_deposit_to_nobodys_address_is_refused(bench: Bench) -> None:
    with pytest.raises(ApiError, match="No account has this address"):
        bench.venue.wallet.arrive({"coin": "USDT", "amount": "30", "address": TRON})


def test_dust_gathers_confirmations_and_is_never_credited(bench: Bench) -> None:
    row = arriving(bench, amount="0.00000999")
    pass_time(bench, steps=5)
    assert (row["status"], row["confirmTimes"], bench.alice.balance("BTC").free) == (0, "2/2", D(0))


def withdraw(bench: Bench, **params: str) -> Row:
    asked = {"coin": "USDT", "network": "TRX", "address": TRON, "amount": "50", **params}
    found = bench.venue.wallet.withdraw(bench.alice, asked)
    return bench.venue.wallet.withdrawals[found["id"]]


def test_a_withdrawal_leaves_the_balance_at_once_and_the_fee_comes_out_of_it(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    row = withdraw(bench, withdrawOrderId="ours-1")
    assert (row["amount"], row["transactionFee"], bench.alice.balance("USDT").free) == (
        "49.00000000",
        "1",
        D(50),
    )


def test_a_withdrawal_is_processed_and_then_completed_with_a_transaction(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    row, seen = withdraw(bench), []
    for _step in range(3):
        seen.append((row["status"], bool(row["txId"])))
        pass_time(bench)
    assert seen == [(2, False), (4, False), (6, True)]


def test_a_failed_withdrawal_gives_the_money_back_once(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    row = withdraw(bench)
    bench.venue.wallet.fail(row["id"], "The address is not valid.")
    with pytest.raises(ApiError):
        bench.venue.wallet.fail(row["id"], "again")
    assert (row["status"], bench.alice.balance("USDT").free) == (5, D(100))


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"address": "nowhere"}, -4007),
        ({"addressTag": "12"}, -4106),
        ({"amount": "9.99"}, -4011),
        ({"amount": "20.0000001"}, -4014),
        ({"amount": "101"}, -4026),
        ({"network": "SOL"}, -4019),
        ({"coin": "DAI"}, -4018),
        ({"amount": ""}, -1102),
        ({"amount": "-5"}, -1100),
    ],
)
def test_a_withdrawal_against_the_rules_is_refused_and_moves_nothing(
    bench: Bench, params: dict[str, str], code: int
) -> None:
    bench.fund(bench.alice, USDT="100")
    with pytest.raises(ApiError) as refused:
        withdraw(bench, **params)
    assert (refused.value.code, bench.alice.balance("USDT").free) == (code, D(100))


def test_the_configuration_shows_what_is_on_its_way_out(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    withdraw(bench)
    rows = {row["coin"]: row for row in bench.venue.wallet.config(bench.alice)}
    assert (rows["USDT"]["free"], rows["USDT"]["withdrawing"]) == ("50.00000000", "50.00000000")


def test_the_history_is_found_by_our_own_id(trader: Caller, cashier: Caller) -> None:
    trader.deposit("USDT", "100")
    order = {"coin": "USDT", "network": "TRX", "address": TRON, "amount": "30", "withdrawOrderId": "ours-1"}
    applied = cashier.signed("POST", "/sapi/v1/capital/withdraw/apply", **order)

    def found() -> Row:
        history = cashier.signed("GET", "/sapi/v1/capital/withdraw/history", withdrawOrderId="ours-1").json()
        return {} if len(history) != 1 else history[0]

    assert applied.headers["X-SAPI-USED-UID-WEIGHT-1M"] == "900"
    wait_for(lambda: found().get("status") == 6)
    assert (found()["id"], found()["amount"]) == (applied.json()["id"], "29.00000000")


def test_the_deposit_history_pages_and_filters(bench: Bench) -> None:
    for number in range(5):
        arriving(bench, amount=str(number + 1))
    arriving(bench, coin="ETH", amount="9")
    page = bench.venue.wallet.history(
        bench.alice, {"coin": "BTC", "offset": "1", "limit": "2", "status": "0"}
    )
    assert (len(page), {row["coin"] for row in page}) == (2, {"BTC"})
    assert bench.venue.wallet.history(bench.bob, {}) == []


def test_a_history_over_more_than_ninety_days_is_refused(bench: Bench) -> None:
    with pytest.raises(ApiError) as refused:
        bench.venue.wallet.history(bench.alice, {"startTime": "1", "endTime": str(91 * 86_400_000)})
    assert refused.value.code == -4047


def ordered(bench: Bench, **asked: Any) -> list[Row]:
    return bench.venue.arrivals.order({"coin": "BTC", "network": "BTC", "amount": "1", **asked})


def test_several_outputs_of_one_transaction_are_several_deposits(bench: Bench) -> None:
    address = bench.venue.wallet.address(bench.bob, "BTC", "BTC")["address"]
    rows = ordered(bench, outputs=[{"amount": "1"}, {"amount": "2"}, {"amount": "3", "address": address}])
    assert len({row["txId"] for row in rows}) == 1
    assert [(row["amount"][0], row["_account"]) for row in rows] == [("1", 1), ("2", 1), ("3", 2)]


@pytest.mark.parametrize("status", [0, 6, 1, 2, 7, 8, 99])
def test_a_deposit_can_begin_with_any_status_and_stay_in_it(bench: Bench, status: int) -> None:
    (row,) = ordered(bench, status=status, hold=True)
    pass_time(bench, steps=5)
    assert (row["status"], bench.alice.balance("BTC").free) == (status, D(1) if status in (1, 6) else D(0))


@pytest.mark.parametrize(
    ("path", "left"), [((6, 1), "1"), ((6, 0, 6, 1), "1"), ((2,), "0"), ((6, 2), "0"), ((1, 7), "0")]
)
def test_its_money_comes_and_goes_with_its_status(bench: Bench, path: tuple[int, ...], left: str) -> None:
    (row,) = ordered(bench, hold=True)
    for status in path:
        bench.venue.arrivals.force(row["id"], status)
    assert bench.alice.balance("BTC").free == D(left)


def test_one_that_vanished_is_in_no_history_and_its_money_is_gone(bench: Bench) -> None:
    (row,) = ordered(bench, status=1)
    bench.venue.arrivals.vanish(row["id"])
    assert (bench.venue.wallet.history(bench.alice, {}), bench.alice.balance("BTC").free) == ([], D(0))


def test_deposits_arrive_while_the_history_is_paged(bench: Bench) -> None:
    ordered(bench, count=5, each=2)
    sizes = [len(bench.venue.wallet.history(bench.alice, {"limit": "100"})) for _page in range(4)]
    assert sizes == [0, 2, 4, 5]


def test_the_history_is_newest_first_and_a_page_has_at_most_a_thousand_rows(bench: Bench) -> None:
    ordered(bench, count=1200, spreadMs=3_600_000)
    page = bench.venue.wallet.history(bench.alice, {"limit": "5000"})
    times = [row["insertTime"] for row in page]
    assert (len(page), times) == (1000, sorted(times, reverse=True))


def test_a_transfer_under_way_has_left_and_not_arrived(bench: Bench) -> None:
    bench.fund(bench.bob, USDT="100")
    bench.venue.transfers.next_status = "PROCESS"
    asked = {
        "fromEmail": bench.bob.email, "fromAccountType": "SPOT", "toAccountType": "SPOT", "asset": "USDT",
        "amount": "60", "clientTranId": "sweep-1",
    }  # fmt: skip
    bench.venue.transfers.transfer(asked)
    assert (bench.bob.balance("USDT").free, bench.alice.balance("USDT").free) == (D(40), D(0))
    bench.venue.transfers.finish("sweep-1")
    assert bench.alice.balance("USDT").free == D(60)


def test_a_transfer_from_a_sub_account_happens_once_for_its_client_id(bench: Bench) -> None:
    bench.fund(bench.bob, USDT="100")
    asked = {
        "fromEmail": bench.bob.email, "fromAccountType": "SPOT", "toAccountType": "SPOT", "asset": "USDT",
        "amount": "60", "clientTranId": "sweep-1",
    }  # fmt: skip
    first, second = bench.venue.transfers.transfer(asked), bench.venue.transfers.transfer(asked)
    assert (first == second, bench.alice.balance("USDT").free, bench.bob.balance("USDT").free) == (
        True,
        D(60),
        D(40),
    )
    assert bench.venue.transfers.history({"clientTranId": "sweep-1"})["totalCount"] == 1


def test_a_sub_account_of_the_same_name_is_the_same_account(bench: Bench) -> None:
    emails = {bench.venue.transfers.create_sub_account("carol")["email"] for _time in range(2)}
    assert (len(emails), len(bench.venue.accounts)) == (1, 3)


def test_the_main_account_sees_what_lies_in_a_sub_account(trader: Caller, venue: Venue) -> None:
    email = trader.signed("POST", "/sapi/v1/sub-account/virtualSubAccount", subAccountString="erin").json()[
        "email"
    ]
    venue.transfers.sub_account(email).receive("BTC", D("0.00000001"))
    answer = trader.signed("GET", "/sapi/v4/sub-account/assets", email=email)
    assert answer.json() == {
        "balances": [
            {"freeze": "0", "withdrawing": "0", "asset": "BTC", "free": "0.00000001", "locked": "0.00000000"}
        ]
    }
    assert answer.headers["X-SAPI-USED-UID-WEIGHT-1M"] == "60"


def test_the_history_may_lag_behind_what_happened(trader: Caller, cashier: Caller) -> None:
    trader.deposit("USDT", "100")
    trader.door("fault", do="delay", ms=60_000)
    order = {"coin": "USDT", "network": "TRX", "address": TRON, "amount": "30"}
    assert cashier.signed("POST", "/sapi/v1/capital/withdraw/apply", **order).status_code == 200
    history = "/sapi/v1/capital/withdraw/history"
    assert cashier.signed("GET", history).json() == []
    trader.door("fault", do="clear")
    assert len(cashier.signed("GET", history).json()) == 1


def test_another_fee_is_taken_from_what_is_left_and_another_transaction_told(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    row = withdraw(bench)
    bench.venue.wallet.charge(row["id"], "1.7")
    assert (row["amount"], row["transactionFee"]) == ("49.00000000", "1.7")
    assert bench.alice.balance("USDT").free == D("49.3")
    pass_time(bench, steps=2)
    first = row["txId"]
    assert bench.venue.wallet.replace(row["id"])["txId"] != first
    with pytest.raises(ApiError):
        bench.venue.wallet.replace("nobody's")
