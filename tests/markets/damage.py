"""Frames of the real venue, damaged at random; those that would be a credible lie are left out."""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

TOKENS = [
    b"null", b"NaN", b"1e400", b"-1", b"1e5", b"1_0", b"\xff\xfe", b"\x00", b"[]", b"{}", b'""', b"true", b"0x1F", b" ",
    "１２".encode(), b"+", b"e", b".", b'"b":[["1","1"]],', b"99999999999999999999999", b"[[[[", b"\\u0000",
]  # fmt: skip
_is_number = re.compile(r"[0-9]*\.?[0-9]*").fullmatch
Meaning = tuple[Any, ...]


def damaged(raw: bytes, dice: random.Random) -> bytes | None:
    """The frame with a random damage that anybody can see, or that changes nothing; None when none was found."""
    told = meaning(raw)
    for _try in range(20):
        found = raw
        for _damage in range(dice.choice((1, 1, 1, 2, 5))):
            found = _once(found, dice)
        heard = meaning(found)
        if heard is None or heard == told:
            return found
    return None


def _once(raw: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(raw) + 1)
    end = min(len(raw), start + dice.choice((1, 1, 2, 8, 40)))
    before, part, after = raw[:start], raw[start:end], raw[end:]
    return dice.choice(
        (
            before + after,
            before + part + part + after,
            before + bytes([dice.randrange(256)]) + raw[start + 1 :],
            before + dice.choice(TOKENS) + part + after,
            before + dice.choice(TOKENS) + after,
            before,
            after + before,
        )
    )


def meaning(raw: bytes) -> Meaning | None:
    """What a depth event says, as its documentation has it; None when it cannot be one of the stream it came in."""
    try:
        frame = json.loads(raw.decode(errors="replace"))
        stream, event = frame["stream"], frame["data"]
        first, last, rows = event["U"], event["u"], [*_rows(event["b"]), None, *_rows(event["a"])]
        is_one = event["e"] == "depthUpdate" and f"{event['s'].lower()}@depth@100ms" == stream
        are_ids = all(type(number) in (int, float) and number == int(number) for number in (first, last))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return (stream, first, last, *rows) if is_one and are_ids and first <= last else None


def _rows(rows: Any) -> Iterator[tuple[str, str]]:
    """Raises TypeError or ValueError for what are no levels."""
    for row in rows:
        price, quantity = row
        if not all(_is_number(text) and text.strip(".") for text in (price, quantity)) or not price.strip(
            "0."
        ):
            raise ValueError("no level")
        yield price, quantity


def damaged_snapshot(body: dict[str, Any], dice: random.Random) -> Any:
    """An answer that is no whole snapshot."""
    spoiled: list[Any] = [
        ["1"],
        [None, "1"],
        [5, 7],
        "text",
        None,
        [],
        ["a lot", "1"],
        ["1", "a lot"],
        ["-1", "1"],
    ]
    row, side = dice.choice(spoiled), dice.choice(("bids", "asks"))
    return dice.choice(
        (
            {name: value for name, value in body.items() if name != dice.choice(list(body))},
            body | {side: [*body[side], row]},
            body | {side: dice.choice((None, 5, {}, "text", [row]))},
            body | {"lastUpdateId": dice.choice((None, "text", [], -1, 1e400))},
        )
    )
