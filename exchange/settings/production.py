"""Production refuses what would hurt its customers."""

from exchange.environment import is_loopback, is_plain, stop
from exchange.settings.installation import ALLOWED_HOSTS, DEBUG, EMBEDDED_SERVERS, SECRET_KEY, SITE_URL
from exchange.settings.reading import names, text
from exchange.settings.servers import EMAIL_HOST
from exchange.settings.site import SECURE_TLS
from exchange.settings.venue import (
    BINANCE_API_KEY,
    BINANCE_WITHDRAW_API_KEY,
    PROCESS,
    VENUE,
    VENUE_ADDRESSES,
    VENUE_KEYS_SECRET,
    VENUE_KEYS_SECRET_FILE,
)


def refuse_what_would_hurt() -> None:
    """Stops the start; asked in production alone."""
    if DEBUG:
        stop("DEBUG is on; production refuses it.")
    if text("FAILPOINTS"):
        stop("FAILPOINTS is set; it kills processes on purpose, and production refuses it.")
    if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10 or "insecure" in SECRET_KEY:
        stop("SECRET_KEY is too short or too plain; production wants 50 random characters or more.")
    if not names("ALLOWED_HOSTS") or "*" in ALLOWED_HOSTS:
        stop("ALLOWED_HOSTS must name this site's hosts in production.")
    if not SITE_URL.startswith("https://"):
        stop("SITE_URL must be this site's https:// address in production.")
    if not SECURE_TLS:
        stop("SECURE_TLS is off; production refuses cookies that travel in clear.")
    if EMBEDDED_SERVERS:
        stop(
            "the embedded PostgreSQL and Valkey are for trying out; "
            "production wants DATABASE_URL and REDIS_URL of real servers."
        )
    if not EMAIL_HOST:
        stop("EMAIL_HOST is missing; customers could not be written to.")
    if VENUE != "paper" and not (BINANCE_API_KEY or VENUE_KEYS_SECRET or VENUE_KEYS_SECRET_FILE):
        stop("BINANCE_API_KEY is missing, and so is VENUE_KEYS_SECRET, under which keys could be kept.")
    if PROCESS == "payouts" and VENUE_ADDRESSES["BINANCE_SAPI_URL"] and not BINANCE_WITHDRAW_API_KEY:
        stop("BINANCE_WITHDRAW_API_KEY is missing; withdrawals could not be sent.")
    for name, url in VENUE_ADDRESSES.items():
        if is_plain(url) and (VENUE == "live" or not is_loopback(url)):
            stop(f"{name} is {url!r}; in production the venue is spoken to by https:// and wss:// alone.")
