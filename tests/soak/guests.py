"""Verified customers of a running site, and a token of the API of each."""

import os
import subprocess
import sys

from exchange.local.places import CHECKOUT
from tests.journeys.people import PASSWORD
from tests.journeys.site import Site

TOKEN = "token "


def email_of(number: int) -> str:
    return f"guest{number}@example.com"


def invite(site: Site, count: int) -> list[str]:
    """So many guests are there; gives their tokens."""
    command = [sys.executable, "-m", "tests.soak.guests", str(count)]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=site.environment, check=True, capture_output=True, text=True
    )
    return [line.removeprefix(TOKEN) for line in done.stdout.splitlines() if line.startswith(TOKEN)]


def main(count: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    from accounts import queries as people
    from accounts import services as accounts
    from exchange.desk.management.commands.demo import prove_identity
    from markets import services as markets

    # A test may have changed the venue's limits just now, and the gate keeps to those it knows.
    markets.synchronise_catalogue()
    carol = people.find_by_email("carol@example.com")
    assert carol, "nobody of staff is there"
    for number in range(count):
        email = email_of(number)
        guest = people.find_by_email(email) or accounts.enrol(
            email, password=PASSWORD, name="Guest", is_staff=False
        )
        prove_identity(guest, by=carol)
        print(TOKEN + accounts.issue_token(guest, name="soak", can_trade=True)[1])


if __name__ == "__main__":
    main(int(sys.argv[1]))
