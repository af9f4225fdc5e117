"""A second account at the paper venue beside a site's own: funded there, its key given, followed without a restart."""

from dataclasses import dataclass

from tests.exchange.paper.people import Caller
from tests.journeys.people import eventually
from tests.journeys.site import Site
from tests.soak.reckoning import rows

HEARD = "SELECT 1 FROM gate_venueaccount WHERE name = 'second' AND stream_state = 'SUBSCRIBED'"
SECOND_HAS = """
SELECT 1 FROM gate_inventory i JOIN gate_venueaccount a ON a.id = i.venue_account_id
 WHERE a.name = 'second' AND i.asset = 'BTC' AND i.free > 1 AND a.inventory_at IS NOT NULL
"""


@dataclass
class Second:
    """The account by its key, and its name at the venue."""

    caller: Caller
    email: str


def first_account(site: Site) -> Caller:
    known = site.environment
    key = {"key": known["BINANCE_API_KEY"], "secret": known["BINANCE_API_SECRET"]}
    return Caller(known["BINANCE_REST_URL"], key)


def open_second(site: Site, first: Caller) -> Second:
    """It has all the BTC of the first, takes orders, and what lies in both is known."""
    found = first.door("account", name="second", funds={"USDT": "100"})
    second = Caller(first.url, {"key": found["key"], "secret": found["secret"]})
    moved = {"toEmail": found["email"], "fromAccountType": "SPOT", "toAccountType": "SPOT", "asset": "BTC"}
    answer = first.signed(
        "POST", "/sapi/v1/sub-account/universalTransfer", amount=f"{first.free('BTC'):f}", **moved
    )
    assert answer.status_code == 200, answer.text
    give_key(site, "second", second, "--add")
    site.manage("venue_account", "second", "--enable", "--reason", "it is funded")
    eventually(lambda: rows(site, HEARD), what="the second account to be heard")
    eventually(lambda: rows(site, SECOND_HAS), what="what lies there to be known")
    assert first.free("BTC") == 0, "the first account is to have no BTC"
    return Second(second, found["email"])


def give_key(site: Site, name: str, caller: Caller, *words: str) -> None:
    file = site.state / "a-key"
    file.write_text(f"{caller.key['key']}\n{caller.key['secret']}\n")
    site.manage("venue_account", name, *words, "--key-file", str(file), "--reason", "proof")
    file.unlink()
