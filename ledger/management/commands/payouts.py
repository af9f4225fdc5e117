"""`manage.py payouts`: the process that sends withdrawals, and alone holds the key that can."""

import time
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from exchange.binance.errors import VenueError
from exchange.gate import services as gate
from ledger import services

log = structlog.get_logger()


class Command(BaseCommand):
    help = "Send approved withdrawals, one after the other."

    def handle(self, *args: Any, **options: Any) -> None:
        gate.refuse_unfit_database()
        if settings.BINANCE_SAPI_URL and not settings.BINANCE_WITHDRAW_API_KEY:
            gate.wait_without_key("BINANCE_WITHDRAW_API_KEY is missing; no withdrawal is sent.")
        while True:
            sent = self._send()
            time.sleep(0 if sent else 1)

    def _send(self) -> bool:
        close_old_connections()
        try:
            return services.send_next_withdrawal()
        except VenueError as error:
            log.warning("payouts.venue", reason=str(error))
        except Exception:  # the outermost loop: the row stays as it is and is looked at again
            log.exception("payouts.failed")
            time.sleep(2)
        return False
