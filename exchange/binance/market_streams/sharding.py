"""Which stream goes over which socket."""

from collections.abc import Collection, Sequence


def spread(wanted: Sequence[str], held: Sequence[Collection[str]], most: int) -> list[list[str]]:
    """The wanted streams by socket, at most so many on each; sockets beyond `held` are new ones.

    A stream stays where it is; a market's streams go together where there is room; new markets go where least is.
    """
    home = {name: index for index, names in enumerate(held) for name in names}
    names = list(dict.fromkeys(wanted))
    sockets: list[list[str]] = [[] for _ in range(max(len(held), -(-len(names) // most)))]
    market_home: dict[str, int] = {}
    for name in names:
        if name in home:
            sockets[home[name]].append(name)
            market_home[market_of(name)] = home[name]
    for name in names:
        if name not in home:
            index = market_home.get(market_of(name))
            if index is None or len(sockets[index]) >= most:
                index = min(range(len(sockets)), key=lambda number: len(sockets[number]))
            sockets[index].append(name)
            market_home[market_of(name)] = index
    return sockets


def market_of(stream: str) -> str:
    """`btcusdt` of `btcusdt@depth@100ms`."""
    return stream.partition("@")[0]
