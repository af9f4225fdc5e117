"""Listen keys by REST: with a key and without a signature."""

from typing import Any

from exchange.paper import errors
from exchange.paper.accounts import Account
from exchange.paper.routes import Params, route
from exchange.paper.venue import Venue

PATH = "/api/v3/userDataStream"


@route("POST", PATH, "stream")
def create(venue: Venue, params: Params, account: Account) -> Any:
    return {"listenKey": venue.listen_keys.create(account.account_id)}


@route("PUT", PATH, "stream")
def renew(venue: Venue, params: Params, account: Account) -> Any:
    venue.listen_keys.renew(_key(params), account.account_id)
    return {}


@route("DELETE", PATH, "stream")
def close(venue: Venue, params: Params, account: Account) -> Any:
    venue.listen_keys.close(_key(params), account.account_id)
    return {}


def _key(params: Params) -> str:
    if not params.get("listenKey"):
        raise errors.mandatory("listenKey")
    return params["listenKey"]
