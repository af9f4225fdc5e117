"""The control door, on loopback like the rest: money arrives, faults are set, the true state is shown.

POST /paper/deposit {coin, network, amount, address?, tag?, txId?} - a transfer appears on its chain. More:
                    {status, hold} begins with a status, and time passes it by; {outputs: [{amount, address?, tag?}]}
                    pays several in one transaction; {count} many at once, {count, each} so many after every page of
                    the history that is read; {msAgo, spreadMs} when; {transferType: 1} from inside the venue; {shown}
                    what the history calls its amount
POST /paper/account {name, funds: {asset: amount}} - another account with that much, and its {key, secret}, which may
                    trade until the venue ends: somebody else than whose venue it is
POST /paper/key     {key, trade?, withdraw?, bound?, revoked?} - what a key may do from now on, each true or false; one
                    that is revoked is unknown, and nobody is told of the account by it any more
POST /paper/fault   {on, do, count?, ms?, symbol?, hideMs?} - see `faults` (and `orderfaults` for what concerns
                    orders); of depth snapshots also {do: "older"} (the book of now, told later), "without bids", "empty
                    asks" and so on; {on: "depth", do: "slow", ms} and "429".
                    Of sockets, all or those that follow a symbol: {do: "cut", symbol?} ends them without a word,
                    {do: "disconnect", symbol?} with one (private ones too without a symbol), {do: "mute", ms, symbol?}
                    leaves them open and silent, {do: "lifetime", ms} is what new ones live (a day); {do: "shutdown"}
                    announces one. {do: "silence", ms} holds all market streams still. Of depth events, the next `count`
                    of a symbol or of each: {do, symbol?, count?} with do one of "drop", "duplicate", "swap", "crossed",
                    "broken" (JSON cut in half), "missing field" ({field}, else u), "no number", "foreign symbol" and
                    "unknown kind" ({text}), "backwards" (ids), "zero" ({text}, "0", of what is removed), "unknown
                    removal"; "gap" is another word for "drop". {do: "status", symbol, status} opens or closes a market;
                    {do: "fail", id, info} fails a withdrawal; {do: "deposit", id, status, confirmations?, shown?} moves
                    a deposit to any status and {do: "vanish", id} out of the history, its money with it; {do:
                    "transfer", status} lets the next transfer end so, {do: "finish transfer", clientTranId} lets one
                    that is under way arrive; {do: "charge", id, fee} has the network of a withdrawal take another fee,
                    {do: "replace", id} carries it by another transaction; {do: "delay", ms} shows withdrawals so much
                    later; {do: "clear"} forgets all faults
GET  /paper/state   every balance and open order as it really is; faults that have not struck yet; the request weight
                    of the last hour by address and minute, and its orders by account and ten seconds; what came beyond
                    a limit or inside a ban, and when
"""

import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aiohttp import WSCloseCode, web

from exchange.paper import walletapi
from exchange.paper.accounts import ApiKey
from exchange.paper.disturbances import ACTS
from exchange.paper.errors import ApiError
from exchange.paper.feed import Listener
from exchange.paper.market import now_ms
from exchange.paper.orderfaults import OrderFaults
from exchange.paper.socketapi import Session
from exchange.paper.transfers import FAILURE, PROCESS
from exchange.paper.venue import DAY_SECONDS, Venue
from exchange.paper.wallet import shown

Asked = dict[str, Any]
RIGHTS = {"trade": "can_trade", "withdraw": "can_withdraw", "bound": "is_bound", "revoked": "is_revoked"}


class Door:
    def __init__(self, venue: Venue, sockets: Mapping[web.WebSocketResponse, Listener | Session]) -> None:
        self.venue, self._sockets = venue, sockets
        self._acts = {
            "silence": self._silence,
            "gap": self._gap,
            "older": self._older,
            "shutdown": self._announce,
            "disconnect": self._disconnect,
            "cut": self._cut,
            "mute": self._mute,
            "lifetime": self._lifetime,
            **dict.fromkeys(ACTS, self._disturb),
            "status": self._status,
            "fail": self._fail,
            "deposit": self._deposit_status,
            "vanish": self._vanish,
            "transfer": self._transfer_status,
            "finish transfer": self._finish_transfer,
            "charge": self._charge,
            "replace": self._replace,
            "delay": self._delay,
            "clear": self._clear,
        }
        self._of_orders = OrderFaults(venue).acts

    def open(self, app: web.Application) -> None:
        app.router.add_get("/paper/state", self.state)
        app.router.add_post("/paper/deposit", self.deposit)
        app.router.add_post("/paper/account", self.account)
        app.router.add_post("/paper/key", self.key)
        app.router.add_post("/paper/fault", self.fault)

    async def state(self, incoming: web.Request) -> web.StreamResponse:
        return web.json_response(walletapi.true_state(self.venue))

    async def deposit(self, incoming: web.Request) -> web.StreamResponse:
        asked = await _asked(incoming)
        try:
            rows = self.venue.arrivals.order(asked)
        except ApiError as error:
            return _refused(error)
        self.venue.settle()
        if len(rows) == 1:
            return web.json_response(shown(rows[0]))
        return web.json_response({"ids": [row["id"] for row in rows]})

    async def account(self, incoming: web.Request) -> web.StreamResponse:
        asked = await _asked(incoming)
        try:
            found = self._opened(str(asked["name"]), dict(asked.get("funds", {})))
        except ApiError as error:
            return _refused(error)
        except (KeyError, ValueError, TypeError, ArithmeticError) as error:
            return _refused(ApiError(-1100, f"{type(error).__name__}: {error}"))
        self.venue.settle()
        return web.json_response(found)

    def _opened(self, name: str, funds: dict[str, Any]) -> dict[str, str]:
        email = self.venue.transfers.create_sub_account(name)["email"]
        account = self.venue.transfers.sub_account(email)
        for asset, amount in funds.items():
            account.receive(asset, Decimal(str(amount)))
        self.venue.changed(account)
        key = ApiKey(secrets.token_hex(32), account.account_id, secret=secrets.token_hex(32), can_trade=True)
        self.venue.keys[key.key] = key
        return {"email": account.email, "key": key.key, "secret": key.secret}

    async def key(self, incoming: web.Request) -> web.StreamResponse:
        asked = await _asked(incoming)
        found = self.venue.keys.get(str(asked.pop("key", "")))
        if found is None or not all(name in RIGHTS and isinstance(yes, bool) for name, yes in asked.items()):
            return _refused(
                ApiError(-1100, f"A known key, and of {', '.join(RIGHTS)} what is true or false.")
            )
        for name, yes in asked.items():
            setattr(found, RIGHTS[name], yes)
        for queued in self._sockets.values():
            if found.is_revoked and isinstance(queued, Session):
                queued.forget(found)
        return web.json_response({"set": asked})

    async def fault(self, incoming: web.Request) -> web.StreamResponse:
        asked = await _asked(incoming)
        try:
            if asked.get("do") in self._acts:
                await self._acts[asked["do"]](asked)
            elif asked.get("do") in self._of_orders:
                self._of_orders[asked["do"]](asked)
            else:
                self.venue.faults.add(asked)
        except ApiError as error:
            return _refused(error)
        except (KeyError, ValueError, TypeError) as error:
            return _refused(ApiError(-1100, f"{type(error).__name__}: {error}"))
        self.venue.settle()
        return web.json_response({"set": asked})

    async def _silence(self, asked: Asked) -> None:
        self.venue.feed.silent_until = now_ms() + int(asked.get("ms", 10_000))

    def _symbols(self, asked: Asked) -> list[str]:
        """The symbol that is named, or all of them."""
        return (
            [self.venue.markets[asked["symbol"]].symbol] if asked.get("symbol") else list(self.venue.markets)
        )

    async def _disturb(self, asked: Asked) -> None:
        self.venue.feed.disturbances.add(asked, self._symbols(asked))

    async def _gap(self, asked: Asked) -> None:
        await self._disturb(asked | {"do": "drop"})

    async def _older(self, asked: Asked) -> None:
        older = {symbol: self.venue.markets[symbol].frozen() for symbol in self._symbols(asked)}
        self.venue.faults.add(asked).older = older

    def _followers(self, asked: Asked) -> list[Listener]:
        """Sockets of market streams, of the symbol that is named."""
        symbol = str(asked.get("symbol", ""))
        return [listener for listener in self.venue.feed.listeners if listener.follows(symbol)]

    async def _cut(self, asked: Asked) -> None:
        for listener in self._followers(asked):
            listener.cut()

    async def _mute(self, asked: Asked) -> None:
        for listener in self._followers(asked):
            listener.muted_until = now_ms() + int(asked.get("ms", 10_000))

    async def _lifetime(self, asked: Asked) -> None:
        self.venue.life_seconds = int(asked["ms"]) / 1000

    async def _announce(self, asked: Asked) -> None:
        self.venue.feed.announce_shutdown()
        for queued in self._sockets.values():
            if isinstance(queued, Session):
                queued.announce_shutdown()

    async def _disconnect(self, asked: Asked) -> None:
        followers = self._followers(asked) if asked.get("symbol") else list(self._sockets.values())
        for channel, queued in list(self._sockets.items()):
            if queued in followers:
                await channel.close(code=WSCloseCode.GOING_AWAY)

    async def _status(self, asked: Asked) -> None:
        self.venue.live[asked["symbol"]].info["status"] = str(asked["status"])

    async def _fail(self, asked: Asked) -> None:
        self.venue.wallet.fail(str(asked["id"]), str(asked.get("info", "")))

    async def _deposit_status(self, asked: Asked) -> None:
        self.venue.arrivals.force(
            str(asked["id"]),
            int(asked["status"]),
            confirmations=str(asked.get("confirmations", "")),
            shown=str(asked.get("shown", "")),
        )

    async def _vanish(self, asked: Asked) -> None:
        self.venue.arrivals.vanish(str(asked["id"]))

    async def _transfer_status(self, asked: Asked) -> None:
        self.venue.transfers.next_status = {"PROCESS": PROCESS, "FAILURE": FAILURE}[str(asked["status"])]

    async def _finish_transfer(self, asked: Asked) -> None:
        self.venue.transfers.finish(str(asked["clientTranId"]))

    async def _charge(self, asked: Asked) -> None:
        self.venue.wallet.charge(str(asked["id"]), str(asked["fee"]))

    async def _replace(self, asked: Asked) -> None:
        self.venue.wallet.replace(str(asked["id"]))

    async def _delay(self, asked: Asked) -> None:
        self.venue.wallet.shown_after_ms = int(asked["ms"])

    async def _clear(self, asked: Asked) -> None:
        self.venue.faults.waiting.clear()
        self.venue.faults.hidden_until.clear()
        self.venue.telling.clear()
        self.venue.commission_in, self.venue.clock.shift_ms = "", 0
        self.venue.arrivals.bursts.clear()
        self.venue.wallet.shown_after_ms = 0
        self.venue.feed.silent_until = 0
        self.venue.feed.disturbances.clear()
        self.venue.life_seconds = DAY_SECONDS
        for listener in self.venue.feed.listeners:
            listener.muted_until = 0


async def _asked(incoming: web.Request) -> Asked:
    """The JSON that was sent, as JSON: a web page elsewhere cannot send that without asking first."""
    if incoming.content_type != "application/json":
        return {}
    try:
        found = await incoming.json()
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _refused(error: ApiError) -> web.Response:
    return web.json_response({"code": error.code, "msg": error.message}, status=400)
