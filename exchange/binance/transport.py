"""One place that sends, reads the limits' headers, and decides which of the three wrong ways an answer is."""

import json
import math
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from exchange.binance.connections import Adapter, asking
from exchange.binance.errors import (
    GONE,
    HALVES_CODES,
    NoConnection,
    NotSent,
    Rejected,
    Unknown,
    Unreadable,
    of_code,
)
from exchange.binance.usage import FREE, NEVER_LEFT, NO_ANSWER, USUAL_WAIT, Cost, Meter, Usage, usage_of

CONNECT_SECONDS = 3.05
BANNED = 418
CLOCK_SAMPLES = 3
CLOCK_SECONDS = 600


class Clock:
    """The venue's time: our clock plus an offset, the median of several samples less half the round trip."""

    def __init__(self) -> None:
        self.offset_ms = 0
        self._measured_at: float | None = None
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms

    @property
    def is_known(self) -> bool:
        """True once measured, however long ago: an old offset serves until it is renewed."""
        return self._measured_at is not None

    def is_due(self) -> bool:
        return self._measured_at is None or time.monotonic() - self._measured_at > CLOCK_SECONDS

    def forget(self) -> None:
        self._measured_at = None

    def measure(self, server_time: Callable[[], int]) -> None:
        """Ask a few times and keep the median offset."""
        with self._lock:
            if not self.is_due():
                return
            offsets = []
            for _sample in range(CLOCK_SAMPLES):
                before = time.time_ns() // 1_000_000
                answer = server_time()
                after = time.time_ns() // 1_000_000
                offsets.append(answer - (before + after) // 2)
            self.offset_ms = int(statistics.median(offsets))
            self._measured_at = time.monotonic()


class Transport:
    """Lasting connections of each thread's own; no proxy but the one that is named, no redirects followed."""

    def __init__(
        self, *, timeout: float = 12, meter: Meter | None = None, agent: str = "causeway", proxy: str = ""
    ) -> None:
        self._timeout = timeout
        self._meter = meter
        self._headers = {**requests.utils.default_headers(), "User-Agent": agent}
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._local = threading.local()

    def send(
        self,
        method: str,
        url: str,
        *,
        api_key: str = "",
        writes: bool = False,
        within: float = math.inf,
        cost: Cost = FREE,
    ) -> Any:
        """The decoded answer; raises Rejected, NotSent or Unknown. `writes`: doubt counts as Unknown.

        `within`: seconds after which it is given up even where others may take longer. The meter is asked before, and
        once more when the connection stands.
        """
        timeout = (min(CONNECT_SECONDS, within), min(self._timeout, within))
        headers = {"X-MBX-APIKEY": api_key} if api_key else {}
        begun, usage = self._meter.begin(cost) if self._meter else None, NO_ANSWER
        try:
            with self._confirmed(begun):
                answer = self._answer(method, url, headers, timeout)
            usage, body = _read(answer)
        except NotSent:
            usage = NEVER_LEFT
            raise
        finally:
            if self._meter:
                self._meter.end(begun, usage)
        if usage.http_status == 200 and body is not None:
            return body
        raise _wrong_way(usage, body, writes)

    def _confirmed(self, begun: Any) -> AbstractContextManager[None]:
        meter = self._meter
        return nullcontext() if meter is None else asking(lambda: meter.confirm(begun))

    def _answer(
        self, method: str, url: str, headers: dict[str, str], timeout: tuple[float, float]
    ) -> requests.Response:
        """As soon as its headers are there; raises NotSent and Unknown."""
        try:
            return self._asked(method, url, headers, timeout)
        except requests.exceptions.ProxyError as error:
            # urllib3 says so too of a line that broke after the request was passed on.
            if not _never_connected(error):
                raise Unknown("the connection by the proxy broke") from error
            raise NoConnection("no connection by the proxy") from error
        except requests.exceptions.ConnectTimeout as error:
            raise NoConnection("no connection within the time") from error
        except requests.exceptions.ConnectionError as error:
            if _never_connected(error):
                raise NoConnection("no connection") from error
            raise Unknown("the connection broke") from error
        except requests.exceptions.RequestException as error:
            raise Unknown(f"no answer: {type(error).__name__}") from error

    def _asked(
        self, method: str, url: str, headers: dict[str, str], timeout: tuple[float, float]
    ) -> requests.Response:
        """As a session of `requests` does, which each time looks for cookies, for redirects and for what the
        environment says, and quotes anew what was signed as it is."""
        request = requests.PreparedRequest()
        request.method, request.url = method, url
        request.headers = CaseInsensitiveDict({**self._headers, **headers})
        if method != "GET":
            request.headers["Content-Length"] = "0"
        return self._adapter().send(request, timeout=timeout, proxies=self._proxies)

    def _adapter(self) -> Adapter:
        adapter: Adapter | None = getattr(self._local, "adapter", None)
        if adapter is None:
            adapter = self._local.adapter = Adapter(pool_maxsize=4, max_retries=0)
        return adapter


def _read(answer: requests.Response) -> tuple[Usage, Any]:
    """What it says of the limits, and its body. For that of a ban nobody waits: others are to hear at once."""
    status = answer.status_code
    with answer:
        body = None if status == BANNED else _body_of(answer)
    return usage_of(status, answer.headers, body), body


def _body_of(answer: requests.Response) -> Any:
    """What was answered, None when it cannot be read or breaks off."""
    try:
        return json.loads(answer.content) if answer.content else {}
    except (ValueError, RecursionError, requests.exceptions.RequestException):
        return None


def _wrong_way(usage: Usage, body: Any, writes: bool) -> Exception:
    status, wait = usage.http_status, usage.retry_after
    if isinstance(body, dict) and body.get("code") in HALVES_CODES and isinstance(body.get("data"), dict):
        return Rejected(int(body["code"]), str(body.get("msg", "")), status, body["data"])
    if status in (BANNED, 429):
        return NotSent("rate limit" if status == 429 else "banned for a while", wait or USUAL_WAIT)
    if status == GONE:  # whatever the body says: nobody is there who could have done anything
        return Rejected(0, "the venue does not offer this any more", GONE)
    if status >= 500 or usage.code is None:
        if status == 403 and not writes:
            return NoConnection("refused by the firewall", wait or USUAL_WAIT)
        return Unreadable(f"HTTP {status}") if status == requests.codes.ok else Unknown(f"HTTP {status}")
    return of_code(usage.code, str(body.get("msg", "")), status=status, retry_after=wait)


def _never_connected(error: BaseException) -> bool:
    """True when the connection itself could not be made, so that nothing can have been read."""
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, NewConnectionError | ConnectTimeoutError | ConnectionRefusedError):
            return True
        if str(current).startswith("Tunnel connection failed"):
            return True
        causes = (current.__cause__, getattr(current, "reason", None), *current.args)
        pending.extend(cause for cause in causes if isinstance(cause, BaseException))
    return False
