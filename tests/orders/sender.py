"""A process that places one order of alice's; a test freezes it on the way and wakes it when it is too late."""

import os
from decimal import Decimal

import django


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    django.setup()
    from accounts.models import User
    from exchange.gate import services as gate
    from orders import services

    gate.renew_clock().result()
    wanted = services.Ticket(
        symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", price=Decimal(39000),
        quantity=Decimal(1), nonce="late",
    )  # fmt: skip
    services.place_order(user=User.objects.get(email="alice@example.com"), ticket=wanted)
    # Python waits for the threads that still carry it.


if __name__ == "__main__":
    main()
