"""Verified customers of a running site: `python -m tests.soak.guests COUNT`, in its environment."""

import os
import sys

from tests.journeys.people import PASSWORD


def email_of(number: int) -> str:
    return f"guest{number}@example.com"


def main(count: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    from accounts import queries as people
    from accounts import services as accounts
    from exchange.desk.management.commands.demo import prove_identity

    carol = people.find_by_email("carol@example.com")
    assert carol, "nobody of staff is there"
    for number in range(count):
        email = email_of(number)
        guest = people.find_by_email(email) or accounts.enrol(
            email, password=PASSWORD, name="Guest", is_staff=False
        )
        prove_identity(guest, by=carol)


if __name__ == "__main__":
    main(int(sys.argv[1]))
