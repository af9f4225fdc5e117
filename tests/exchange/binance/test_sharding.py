"""Streams over sockets: evenly, together by market, and where they are they stay."""

from exchange.binance.market_streams.sharding import spread


def streams(symbols: int, kinds: tuple[str, ...] = ("depth@100ms", "trade", "kline_1m")) -> list[str]:
    return [f"s{number}@{kind}" for number in range(symbols) for kind in kinds]


def test_new_markets_are_spread_evenly_and_each_stands_on_one_socket() -> None:
    sockets = spread(streams(400), [], 600)
    assert [len(names) for names in sockets] == [600, 600]
    markets = [{name.partition("@")[0] for name in names} for names in sockets]
    assert markets[0].isdisjoint(markets[1])


def test_what_is_carried_stays_and_the_new_goes_where_least_is() -> None:
    held = [["a@trade", "b@trade", "gone@trade"], ["c@trade"]]
    sockets = spread(["c@trade", "d@trade", "b@trade", "a@trade", "a@depth"], held, 3)
    assert sockets == [["b@trade", "a@trade", "a@depth"], ["c@trade", "d@trade"]]


def test_a_full_socket_sends_a_markets_next_stream_elsewhere_and_no_socket_is_overfull() -> None:
    sockets = spread(streams(7), [["s0@depth@100ms", "s1@depth@100ms"]], 2)
    assert sockets[0] == ["s0@depth@100ms", "s1@depth@100ms"]
    assert max(len(names) for names in sockets) == 2
    assert sorted(name for names in sockets for name in names) == sorted(streams(7))


def test_a_name_said_twice_is_carried_once_and_nothing_needs_no_socket() -> None:
    assert spread(["a@trade", "a@trade"], [], 5) == [["a@trade"]]
    assert spread([], [], 5) == []
    assert spread([], [["a@trade"]], 5) == [[]]
