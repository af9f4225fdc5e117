"""Faults of the market streams and of snapshots, as they look at the wire."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import websocket

from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Rebuilt, Socket, is_continuous
from tests.exchange.paper.people import KEYS, Caller, serving, wait_for

STREAM = "p001usdt@depth@100ms"
BOTH = f"/stream?streams={STREAM}/p002usdt@depth@100ms"
ZEROS = ("0", "0.000", "0.00000000")


@pytest.fixture
def venue() -> Venue:
    return Venue(None, KEYS, crowd=2, levels=20, deepest=20)


@pytest.fixture
def caller(venue: Venue) -> Iterator[Caller]:
    with serving(venue) as url:
        yield Caller(url)


@pytest.fixture
def socket(caller: Caller) -> Socket:
    found = Socket(caller.url, BOTH)
    wait_for(lambda: len(found.frames) > 2)
    return found


def events(socket: Socket, symbol: str = "P001USDT") -> list[dict[str, Any]]:
    """Depth events of one market's stream, whatever is in them."""
    found = []
    for text in list(socket.texts):
        try:
            frame = json.loads(text)
        except ValueError:
            continue
        if frame["stream"].startswith(symbol.lower()):
            found.append(frame["data"])
    return found


def after(socket: Socket, caller: Caller, more: int = 4, **fault: Any) -> list[dict[str, Any]]:
    """What P001USDT's stream sends around the fault, and `more` events after it is set."""
    before = len(events(socket))
    assert "set" in caller.door("fault", symbol="P001USDT", **fault)
    known = len(events(socket))
    wait_for(lambda: len(events(socket)) >= known + more)
    return events(socket)[before - 1 :]


def test_dropped_events_leave_a_gap_in_that_market_alone(caller: Caller, socket: Socket) -> None:
    heard = after(socket, caller, do="drop", count=3)
    holes = [(early, late) for early, late in itertools.pairwise(heard) if late["U"] != early["u"] + 1]
    assert len(holes) == 1
    assert holes[0][1]["E"] - holes[0][0]["E"] > 300
    assert is_continuous(events(socket, "P002USDT"))


def test_without_a_symbol_every_market_is_struck(caller: Caller, socket: Socket) -> None:
    caller.door("fault", do="drop")
    wait_for(lambda: not any(is_continuous(events(socket, symbol)) for symbol in ("P001USDT", "P002USDT")))


def test_a_duplicate_is_the_same_event_twice(caller: Caller, socket: Socket) -> None:
    heard = after(socket, caller, do="duplicate", count=2)
    assert sum(early == late for early, late in itertools.pairwise(heard)) == 2


def test_swapped_events_come_in_the_wrong_order_and_none_is_lost(caller: Caller, socket: Socket) -> None:
    heard = after(socket, caller, more=5, do="swap")
    assert not is_continuous(heard)
    assert is_continuous(sorted(heard, key=lambda event: event["U"]))


def test_a_crossed_message_crosses_any_book(caller: Caller, socket: Socket) -> None:
    snapshot = caller.get("/api/v3/depth", symbol="P001USDT", limit=1000)
    heard = after(socket, caller, do="crossed")
    book, crossed = Rebuilt([], snapshot), []
    for event in events(socket):
        book.apply(event)
        crossed.append(book.is_crossed)
    assert True in crossed
    assert is_continuous(heard)


MALFORMED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "missing field": lambda event: "u" not in event,
    "no number": lambda event: event["b"][:1] == [["a lot", "1.00000000"]],
    "foreign symbol": lambda event: event["s"] == "БТЦУСДТ",
    "unknown kind": lambda event: event["e"] == "depthRumour",
    "backwards": lambda event: event["u"] < event["U"],
    "unknown removal": lambda event: ["99999999.00000000", "0.00000000"] in event["b"],
}


@pytest.mark.parametrize("do", MALFORMED)
def test_a_malformed_event_is_so_as_often_as_asked(caller: Caller, socket: Socket, do: str) -> None:
    heard = after(socket, caller, do=do, count=2)
    assert sum(map(MALFORMED[do], heard)) == 2


def test_a_broken_message_is_no_json(caller: Caller, socket: Socket) -> None:
    caller.door("fault", do="broken", symbol="P001USDT")

    def broken() -> list[str]:
        return [text for text in list(socket.texts) if not is_json(text)]

    wait_for(broken)
    assert broken()[0].startswith(f'{{"stream":"{STREAM}","data":{{"e":"depthUpdate"')


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("text", ZEROS[:2])
def test_a_zero_has_another_notation(caller: Caller, socket: Socket, text: str) -> None:
    caller.door("fault", do="zero", text=text, symbol="P001USDT", count=2)

    def removals() -> set[str]:
        rows = [row for event in events(socket) for row in event["b"] + event["a"]]
        return {amount for _price, amount in rows if not float(amount)}

    wait_for(lambda: text in removals())
    assert removals() <= {text, "0.00000000"}


def test_an_older_snapshot_is_the_book_from_before(caller: Caller, socket: Socket) -> None:
    caller.door("fault", do="older", symbol="P001USDT", count=2)
    at_the_time = events(socket)[-1]["u"]
    wait_for(lambda: events(socket)[-1]["u"] > at_the_time + 3)
    other = caller.get("/api/v3/depth", symbol="P002USDT", limit=5)
    older = [caller.get("/api/v3/depth", symbol="P001USDT", limit=limit) for limit in (5, 5000)]
    fresh = caller.get("/api/v3/depth", symbol="P001USDT", limit=5000)
    wait_for(lambda: events(socket)[-1]["u"] >= fresh["lastUpdateId"])
    book = Rebuilt([event for event in events(socket) if event["u"] <= fresh["lastUpdateId"]], older[1])
    assert len(older[0]["bids"]) == len(other["bids"]) == 5
    assert older[0]["lastUpdateId"] == older[1]["lastUpdateId"] < fresh["lastUpdateId"]
    assert book.sides == {side: dict(fresh[side]) for side in ("bids", "asks")}


def test_an_older_snapshot_of_a_market_that_trades(caller: Caller) -> None:
    before = caller.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)["lastUpdateId"]
    caller.door("fault", do="older", symbol="BTCUSDT")
    wait_for(lambda: caller.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT"))
    time.sleep(0.3)
    assert caller.get("/api/v3/depth", symbol="BTCUSDT")["lastUpdateId"] - before < 100


@pytest.mark.parametrize("side", ["bids", "asks"])
def test_a_snapshot_lacks_a_side_or_has_an_empty_one(caller: Caller, side: str) -> None:
    caller.door("fault", do=f"without {side}", symbol="P001USDT")
    caller.door("fault", do=f"empty {side}", symbol="P001USDT")
    lacking, empty, whole = (caller.get("/api/v3/depth", symbol="P001USDT") for _time in range(3))
    assert (side in lacking, empty[side], len(whole[side])) == (False, [], 100)
    assert len(lacking) == 2


def test_a_slow_snapshot_is_of_the_time_it_was_asked_for(caller: Caller, socket: Socket) -> None:
    caller.door("fault", on="depth", do="slow", ms=500, symbol="P001USDT")
    began = time.monotonic()
    slow = caller.get("/api/v3/depth", symbol="P001USDT")
    assert time.monotonic() - began > 0.45
    assert slow["lastUpdateId"] < events(socket)[-1]["u"]


def test_snapshots_of_one_market_are_refused(caller: Caller) -> None:
    caller.door("fault", on="depth", do="429", ms=2000, symbol="P001USDT")
    statuses = [
        caller.http.get(f"{caller.url}/api/v3/depth", params={"symbol": symbol}).status_code
        for symbol in ("P002USDT", "P001USDT", "P001USDT")
    ]
    assert statuses == [200, 429, 200]


# ---------------------------------------------------------------------- sockets
def ended(socket: Socket) -> bool:
    return not socket._thread.is_alive()


@pytest.mark.parametrize("do", ["cut", "disconnect"])
def test_sockets_that_follow_a_market_end_and_others_stay(caller: Caller, socket: Socket, do: str) -> None:
    other = Socket(caller.url, "/ws/p002usdt@depth@100ms")
    caller.door("fault", do=do, symbol="P001USDT")
    wait_for(lambda: ended(socket))
    assert not ended(other)
    caller.door("fault", do=do)
    wait_for(lambda: ended(other))


def test_a_muted_socket_answers_pings_and_requests_but_sends_no_data(caller: Caller) -> None:
    muted = websocket.create_connection(f"{caller.url.replace('http', 'ws')}/ws/{STREAM}", timeout=5)
    muted.recv()
    caller.door("fault", do="mute", ms=800, symbol="P001USDT")
    began = time.monotonic()
    muted.ping(b"are you there")
    muted.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
    opcodes, texts = [], [""]
    while '"U"' not in texts[-1] or time.monotonic() - began < 0.3:
        opcode, data = muted.recv_data(control_frame=True)
        opcodes.append(opcode)
        texts.append(data.decode())
    assert websocket.ABNF.OPCODE_PONG in opcodes
    assert '{"result":["p001usdt@depth@100ms"],"id":1}' in texts
    assert 0.6 < time.monotonic() - began < 3


def test_a_new_socket_is_not_muted(caller: Caller, socket: Socket) -> None:
    caller.door("fault", do="mute", ms=60_000)
    time.sleep(0.15)
    quiet = len(socket.texts)
    fresh = Socket(caller.url, f"/ws/{STREAM}")
    wait_for(lambda: len(fresh.texts) > 2)
    assert len(socket.texts) == quiet
    caller.door("fault", do="clear")
    wait_for(lambda: len(socket.texts) > quiet)


def test_a_days_end_closes_the_socket_with_a_word(caller: Caller) -> None:
    caller.door("fault", do="lifetime", ms=300)
    channel = websocket.create_connection(f"{caller.url.replace('http', 'ws')}/ws/{STREAM}", timeout=5)
    opcode = websocket.ABNF.OPCODE_TEXT
    while opcode != websocket.ABNF.OPCODE_CLOSE:
        opcode, data = channel.recv_data()
    assert (int.from_bytes(data[:2]), data[2:]) == (1001, b"the day is over")


def test_silence_of_all_streams_ends_without_a_gap(caller: Caller, socket: Socket) -> None:
    caller.door("fault", do="silence", ms=500)
    time.sleep(0.1)
    quiet = len(socket.texts)
    time.sleep(0.2)
    assert len(socket.texts) == quiet
    wait_for(lambda: len(socket.texts) > quiet + 2)
    assert is_continuous(events(socket))


# ---------------------------------------------------------------------- what the venue itself does not allow
def test_pings_count_among_the_five_messages_a_second(caller: Caller) -> None:
    channel = websocket.create_connection(f"{caller.url.replace('http', 'ws')}/ws", timeout=5)
    for _time in range(7):
        channel.ping(b"x")
    opcode = websocket.ABNF.OPCODE_PONG
    while opcode != websocket.ABNF.OPCODE_CLOSE:
        opcode, data = channel.recv_data(control_frame=True)
    assert int.from_bytes(data[:2]) == 1008


def test_a_connection_has_at_most_1024_streams(caller: Caller) -> None:
    names = [f"m{number}@trade" for number in range(1024)]
    socket = Socket(caller.url, "/ws")
    socket.send(method="SUBSCRIBE", params=names, id=1)
    socket.send(method="SUBSCRIBE", params=["one@trade"], id=2)
    wait_for(lambda: len(socket.frames) == 2)
    assert [frame.get("code") for frame in socket.frames] == [None, 2]
    with pytest.raises(websocket.WebSocketBadStatusException):
        Socket(caller.url, "/ws/" + "/".join(["a@trade"] * 1025))


def test_three_hundred_connections_in_five_minutes_are_enough(venue: Venue, caller: Caller) -> None:
    for _time in range(300):
        venue.limits.connect("127.0.0.1")
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Socket(caller.url, "/ws")
    assert refused.value.status_code == 429


def test_an_unknown_fault_is_told_with_what_there_is(caller: Caller) -> None:
    answer = requests.post(f"{caller.url}/paper/fault", json={"do": "sing"}, timeout=5)
    assert answer.status_code == 400
    assert "slow" in answer.json()["msg"]
    assert caller.door("fault", do="drop", symbol="NOSUCH")["code"] == -1100
