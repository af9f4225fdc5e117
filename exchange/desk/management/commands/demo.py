"""`manage.py demo`: alice verified and funded, bob not verified, carol and dave of staff; made once."""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from PIL import Image, ImageDraw

from accounts import queries as people
from accounts import services as accounts
from accounts.models import KycDocument, User
from exchange.binance.errors import VenueError
from exchange.errors import DomainError
from exchange.money import plain
from ledger import queries as books
from ledger import services as ledger
from markets import services as markets

# What alice has at the beginning, and the network it comes over where the venue offers it.
FUNDS = (("USDT", "TRX", Decimal(50_000)), ("BTC", "BTC", Decimal("0.5")))
CREDIT_SECONDS = 40
NAMES = ("alice", "bob", "carol", "dave")
PAPERS = {
    "legal_name": "Alice Example",
    "birth_date": date(1990, 4, 5),
    "country": "DE",
    "address": "Musterweg 1\n10115 Berlin",
}


class Command(BaseCommand):
    help = "Makes the demo world once: alice, bob, carol and dave; alice's money comes as a deposit on the paper venue."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("the demo world is never made in production.", returncode=2)
        cast = {name: self._person(name, password) for name, password in passwords()}
        prove_identity(cast["alice"], by=cast["carol"])
        if settings.VENUE == "paper":
            self._fund(cast["alice"])

    def _person(self, name: str, password: str) -> User:
        email = f"{name}@example.com"
        if found := people.find_by_email(email):
            return found
        is_staff = name in {"carol", "dave"}
        self.stdout.write(f"{email} was made" if password_is_kept(name) else f"{email} {password}")
        return accounts.enrol(email, password=password, name=name.capitalize(), is_staff=is_staff)

    def _fund(self, alice: User) -> None:
        try:
            due = [found for found in FUNDS if not books.deposits(alice).filter(asset_id=found[0]).exists()]
            if not due:
                return
            markets.synchronise_catalogue()
            ledger.synchronise_networks()
            for asset, network, amount in due:
                send_to_alice(alice, asset=asset, network=network, amount=amount)
                self.stdout.write(f"{plain(amount)} {asset} are on their way to alice")
        except (VenueError, DomainError, OSError) as error:
            raise CommandError(f"alice could not be funded: {error}") from error
        if not is_credited(alice, [asset for asset, _network, _amount in due]):
            self.stdout.write("alice's deposits are not credited yet; the sweep brings them")


def passwords() -> Iterator[tuple[str, str]]:
    """Each person's password: the installation's own, or a fresh one."""
    kept = kept_passwords()
    for name in NAMES:
        yield name, kept.get(name) or secrets.token_urlsafe(12)


def password_is_kept(name: str) -> bool:
    return name in kept_passwords()


def kept_passwords() -> dict[str, str]:
    """What the installation made at random and prints at its start."""
    try:
        known = json.loads((settings.DATA_DIR / "secrets.json").read_text())
    except (OSError, ValueError):
        return {}
    return {
        name: known[f"DEMO_PASSWORD_{name.upper()}"]
        for name in NAMES
        if f"DEMO_PASSWORD_{name.upper()}" in known
    }


def prove_identity(user: User, *, by: User) -> None:
    """A real case, with papers, decided by somebody else."""
    if user.is_verified:
        return
    case = accounts.fill_case(user, **PAPERS)  # type: ignore[arg-type]
    for kind in people.missing_kinds(case):
        accounts.add_document(user, kind=kind, content=specimen(kind))
    case = accounts.submit_case(user)
    accounts.approve_case(case.pk, by=by, reason="Demo world")


def specimen(kind: KycDocument.Kind) -> bytes:
    """A paper that says it is none."""
    sheet = Image.new("RGB", (900, 560), (238, 240, 243))
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((30, 30, 870, 530), outline=(120, 130, 145), width=3)
    pen.text((60, 70), f"SPECIMEN {kind}", fill=(40, 50, 65), font_size=44)
    pen.text(
        (60, 150),
        f"{PAPERS['legal_name']}\n{PAPERS['birth_date']}\n{PAPERS['address']}",
        fill=(40, 50, 65),
        font_size=30,
    )
    drawn = BytesIO()
    sheet.save(drawn, "PNG")
    return drawn.getvalue()


def send_to_alice(alice: User, *, asset: str, network: str, amount: Decimal) -> None:
    """A deposit at the paper venue to alice's own address; the ordinary sweep finds it there."""
    offered = [found.code for found in books.networks(asset) if found.deposit_enabled]
    if not offered:
        raise CommandError(f"the venue takes no deposits of {asset}.")
    code = network if network in offered else offered[0]
    address = ledger.deposit_address(user=alice, asset=asset, network=code)
    body = {
        "coin": asset,
        "network": code,
        "amount": plain(amount),
        "address": address.address,
        "tag": address.tag,
    }
    request = urllib.request.Request(
        f"{settings.BINANCE_SAPI_URL}/paper/deposit",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


def is_credited(alice: User, assets: list[str]) -> bool:
    """Waits a while for the sweep; False when it has not come by."""
    end = time.monotonic() + CREDIT_SECONDS
    while time.monotonic() < end:
        if all(books.available(alice.pk, asset) for asset in assets):
            return True
        time.sleep(1)
    return False
