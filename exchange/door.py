"""Before the threads of the web process: whose wish is carried out next.

Of one person few wishes are under way at once, and the others wait in line. Who had many carried out lately lets those
pass who had few, and is not refused any sooner for asking at once again. So who floods waits for his own requests, and
not everybody for his. No thread is held meanwhile, and none of the line that is too long. What is asked is not counted,
and what ends something waits for nothing. Whoever has not been known as a customer yet is one person with all such at
the same address.
"""

import asyncio
import json
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from math import exp, inf
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from exchange.bridge import CUSTOMER
from exchange.callers import address

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
WAIT_SECONDS = 1
MOST_WAITING = 8
# Wishes a second from which on a person has many; he lets those pass who have so many times fewer, for so many seconds
# at most.
OFTEN, FEWER, PATIENCE = 5, 3, 1 / 10
# So long after somebody came who asks seldom, and may come again, one wish at a time of who asks often is under way.
ALONE_SECONDS = 1
# So long after one that was refused for want of room such a person's next one begins.
PAUSE = 1 / 4
NO_ROOM = (429, 503)
# So many of one person's requests are told later that they are too many.
MOST_HELD = 100
# Of so many who left it is known how often they ask, and of so many credentials whose they are.
MOST_LEFT, MOST_CREDENTIALS = 1_000, 10_000
CREDENTIALS = (b"authorization", b"x-session-token")
WISHES = ("POST", "PUT", "PATCH")
# What ends something is not kept waiting by what begins something.
ENDING = re.compile(r"/(cancel|disarm|panic|unlock)/$")
# At an address so many times as many wishes may be under way as of one customer.
AT_ONE_ADDRESS = 2
# "customer", "address" or "credential", and which one; of a credential not the secret itself.
Key = tuple[str, str | int]


class Often:
    """How often something happens a second, the last second above all."""

    def __init__(self) -> None:
        self._count: float = 0
        self.last = -inf

    def a_second(self, now: float) -> float:
        return self._count * exp(min(0, self.last - now)) if self._count else 0

    def note(self, now: float) -> None:
        self._count, self.last = self.a_second(now) + 1, now


@dataclass(eq=False)
class Person:
    """What somebody has here: requests, those of them under way, wishes among these, and wishes that wait."""

    key: Key
    most: int
    here: int = 0
    under_way: int = 0
    inside: int = 0
    line: deque[asyncio.Future[None]] = field(default_factory=deque)
    begun: Often = field(default_factory=Often)
    sent_away: Often = field(default_factory=Often)
    not_before: float = 0
    is_refused: bool = False

    def begin(self, now: float) -> None:
        self.begun.note(now)
        self.inside += 1
        if self.is_refused:
            self.not_before = now + PAUSE

    def end(self, now: float, *, is_refused: bool) -> None:
        self.inside -= 1
        self.is_refused = is_refused
        self.not_before = now + PAUSE if is_refused else 0

    @property
    def held(self) -> int:
        """Requests that are only told that they are too many."""
        return self.here - self.under_way - len(self.line)


class Door:
    """`most` wishes of one person at a time; the next ones wait a second at most, and not many of them."""

    def __init__(self, app: App, most: int) -> None:
        self._app, self._most = app, most
        self._known: dict[Key, Person] = {}
        self._inside: dict[Key, Person] = {}
        self._waiting: dict[Key, Person] = {}
        self._left: OrderedDict[Key, Person] = OrderedDict()
        self._customers: OrderedDict[int, str] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._seldom: tuple[Key, float] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        credential, key = self._whose(scope) if _changes(scope) else (None, None)
        if key is None:
            await self._app(scope, receive, send)
            return
        person = self._come(key)
        try:
            if _ends(scope):
                await self._carry_out(person, scope, receive, send)
            elif await self._has_turn(person):
                await self._carry_out_wish(person, scope, receive, send)
            else:
                await _come_again(send)
        finally:
            self._go(person)
            self._learn(credential, scope)

    # ------------------------------------------------------------------ who is here
    def _whose(self, scope: Scope) -> tuple[int | None, Key | None]:
        """By which credential a request comes, and whose it is; nobody's when it says nothing."""
        credential = _credential(scope)
        if credential is not None and (customer := self._customers.get(credential)):
            return credential, ("customer", customer)
        if place := address(scope):  # type: ignore[arg-type]
            return credential, ("address", place)
        return credential, ("credential", credential) if credential is not None else None

    def _come(self, key: Key) -> Person:
        person = self._known.get(key)
        if person is None:
            most = self._most * (AT_ONE_ADDRESS if key[0] == "address" else 1)
            person = self._known[key] = self._left.pop(key) if key in self._left else Person(key, most)
        person.here += 1
        return person

    def _go(self, person: Person) -> None:
        person.here -= 1
        if person.here:
            return
        del self._known[person.key]
        self._left[person.key] = person
        if len(self._left) > MOST_LEFT:
            self._left.popitem(last=False)

    def _learn(self, credential: int | None, scope: Scope) -> None:
        """All tokens and sessions of a customer are one person's, from the first good answer on."""
        if credential is None or CUSTOMER not in scope:
            return
        self._customers.pop(credential, None)
        if customer := scope[CUSTOMER]:
            self._customers[credential] = customer
            if len(self._customers) > MOST_CREDENTIALS:
                self._customers.popitem(last=False)

    # ------------------------------------------------------------------ what is carried out
    async def _carry_out(self, person: Person, scope: Scope, receive: Receive, send: Send) -> None:
        self._enter(person)
        try:
            await self._app(scope, receive, send)
        finally:
            self._leave(person)

    async def _carry_out_wish(self, person: Person, scope: Scope, receive: Receive, send: Send) -> None:
        """It has begun with its turn."""
        is_refused = False

        async def heard(message: Any) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start":
                is_refused = message["status"] in NO_ROOM
            await send(message)

        try:
            await self._app(scope, receive, heard)
        finally:
            person.end(_now(), is_refused=is_refused)
            self._leave(person)

    def _enter(self, person: Person) -> None:
        person.under_way += 1
        self._inside[person.key] = person
        now = _now()
        if person.begun.a_second(now) < OFTEN:
            self._seldom = person.key, now

    def _leave(self, person: Person) -> None:
        person.under_way -= 1
        if not person.under_way:
            del self._inside[person.key]
        self._let_in()

    # ------------------------------------------------------------------ whose turn it is
    async def _has_turn(self, person: Person) -> bool:
        """Waits for it; False when it takes too long or too many wait already."""
        if person.inside + len(person.line) >= person.most + MOST_WAITING:
            await _hold(person)
            return False
        turn = asyncio.get_running_loop().create_future()
        person.line.append(turn)
        self._waiting[person.key] = person
        self._let_in()
        try:
            if not turn.done():
                await asyncio.wait({turn}, timeout=WAIT_SECONDS)
        except asyncio.CancelledError:
            if turn.done():
                person.end(_now(), is_refused=False)
                self._leave(person)
            else:
                self._give_up(person, turn)
            raise
        if not turn.done():
            self._give_up(person, turn)
        return turn.done()

    def _give_up(self, person: Person, turn: "asyncio.Future[None]") -> None:
        person.line.remove(turn)
        if not person.line:
            del self._waiting[person.key]

    def _let_in(self) -> None:
        """Whoever may begin now, and again when time alone lets the next one in."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        now, soonest = _now(), inf
        least = min((person.begun.a_second(now) for person in self._inside.values()), default=inf)
        for person in list(self._waiting.values()):
            while person.line and (at := self._may_begin(person, now, least)) <= now:
                person.begin(now)
                self._enter(person)
                least = min(least, person.begun.a_second(now))
                person.line.popleft().set_result(None)
            if person.line:
                soonest = min(soonest, at)
            else:
                del self._waiting[person.key]
        if soonest < inf:
            self._timer = asyncio.get_running_loop().call_at(soonest, self._let_in)

    def _may_begin(self, person: Person, now: float, least: float) -> float:
        """When the person's next wish may begin, if nothing ends before; `least`: how often who is inside asks."""
        if person.inside >= person.most:
            return inf
        often = person.begun.a_second(now)
        if often < OFTEN:
            return now
        if person.inside and self._is_another_here(person, now):
            return inf
        lets_pass = least * FEWER < often
        return max(person.not_before, person.begun.last + PATIENCE if lets_pass else now)

    def _is_another_here(self, person: Person, now: float) -> bool:
        """True when somebody else who asks seldom came a moment ago."""
        if self._seldom is None:
            return False
        key, came = self._seldom
        return key != person.key and now - came < ALONE_SECONDS


def _now() -> float:
    return asyncio.get_running_loop().time()


def _changes(scope: Scope) -> bool:
    return scope["type"] == "http" and (scope["method"] in WISHES or scope["method"] == "DELETE")


def _ends(scope: Scope) -> bool:
    return scope["method"] not in WISHES or ENDING.search(scope["path"]) is not None


def _credential(scope: Scope) -> int | None:
    """By what the request says who it is of; None for one of nobody known."""
    found = dict(scope["headers"])
    secret = next((found[name] for name in CREDENTIALS if name in found), None) or _session(found)
    return hash(secret) if secret else None


def _session(headers: dict[bytes, bytes]) -> bytes | None:
    """Of its cookies the session's alone: others are whatever the request says."""
    name = settings.SESSION_COOKIE_NAME.encode()
    pairs = (pair.strip().partition(b"=") for pair in headers.get(b"cookie", b"").split(b";"))
    return next((value for key, _is, value in pairs if key == name and value), None)


async def _hold(person: Person) -> None:
    """Whoever asks again at once is told a second later: that is cheaper than being asked as fast as one answers."""
    now = _now()
    person.sent_away.note(now)
    if person.sent_away.a_second(now) > OFTEN and person.held <= MOST_HELD:
        await asyncio.sleep(WAIT_SECONDS)


async def _come_again(send: Send) -> None:
    body = {
        "code": "busy",
        "message": _("Too many of your requests are under way; nothing was done. Please try again."),
        "field": None,
    }
    headers = [
        (b"content-type", b"application/json"),
        (b"retry-after", b"1"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
