"""Listen keys, for venues that still have them: an hour's right to an account's events."""

from typing import Any

import pytest

from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Socket
from tests.exchange.paper.people import Caller, small, wait_for

PATH = "/api/v3/userDataStream"


def asked(caller: Caller, method: str, key: str = "") -> tuple[int, dict[str, Any]]:
    answer = caller.raw(method, PATH, query=f"listenKey={key}" if key else "")
    return answer.status_code, answer.json()


@pytest.fixture
def venue() -> Venue:
    return small()


@pytest.fixture
def served(trader: Caller) -> Caller:
    trader.door("fault", do="listen keys", served=True)
    return trader


def test_there_are_none_as_at_the_exchange_today(trader: Caller) -> None:
    assert [asked(trader, method)[0] for method in ("POST", "PUT", "DELETE")] == [410, 410, 410]


def test_who_listens_by_a_key_hears_the_account(served: Caller) -> None:
    key = asked(served, "POST")[1]["listenKey"]
    plain, wrapped = Socket(served.url, f"/ws/{key}"), Socket(served.url, f"/stream?streams={key}")
    served.deposit("USDT", "100")
    wait_for(lambda: plain.of("balanceUpdate") and wrapped.of("balanceUpdate"))
    frame = next(frame for frame in wrapped.frames if frame["data"]["e"] == "balanceUpdate")
    for socket in (plain, wrapped):
        socket.close()
    assert (len(key), plain.frames[0]["e"], frame["stream"]) == (64, "balanceUpdate", key)


def test_an_account_has_one_key_until_it_is_closed(served: Caller) -> None:
    first, second = (asked(served, "POST")[1]["listenKey"] for _call in range(2))
    closed = asked(served, "DELETE", first)
    third = asked(served, "POST")[1]["listenKey"]
    assert (first == second, closed, third == first) == (True, (200, {}), False)
    assert asked(served, "PUT", first) == (400, {"code": -1125, "msg": "This listenKey does not exist."})


def test_a_key_that_nobody_renews_ends_after_an_hour_and_says_so(venue: Venue, served: Caller) -> None:
    key = asked(served, "POST")[1]["listenKey"]
    socket = Socket(served.url, f"/ws/{key}")
    served.door("fault", do="speed", times=36_000)
    wait_for(lambda: socket.of("listenKeyExpired"))
    served.deposit("USDT", "100")
    late = asked(served, "PUT", key)[1]["code"]
    socket.close()
    assert late == -1125
    assert socket.of("balanceUpdate") == []
    assert set(socket.of("listenKeyExpired")[0]) == {"e", "E", "listenKey"}
    assert venue.listen_keys.counts["expired"] == 1


def test_a_key_that_is_renewed_lives_on_and_each_renewal_is_counted(venue: Venue, served: Caller) -> None:
    key = asked(served, "POST")[1]["listenKey"]
    served.door("fault", do="speed", times=60)
    for _half_hour in range(3):
        venue.clock._aged += 1800
        asked(served, "PUT", key)
        venue.listen_keys.tick()
    assert list(venue.listen_keys.known) == [key]
    assert served.door_get("state")["listen_keys"] == {"POST": 1, "PUT": 3, "DELETE": 0, "expired": 0}


def test_a_key_may_be_refused_for_a_while(served: Caller) -> None:
    served.door("fault", on="keep listen key", do="503 before")
    key = asked(served, "POST")[1]["listenKey"]
    assert served.raw("PUT", PATH, query=f"listenKey={key}").status_code == 503
    assert asked(served, "PUT", key) == (200, {})
