"""Settings of the peer's site: django-hordak and nothing else, on the same server."""

import os

from exchange.local.suite import with_database

_url = with_database(os.environ["BENCH_OWNER_URL"], "bench_hordak")
SECRET_KEY = "measures only"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "mptt", "djmoney", "hordak"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CURRENCIES = ["USD", "EUR"]
DEFAULT_CURRENCY = "USD"
HORDAK_MAX_DIGITS, HORDAK_DECIMAL_PLACES = 28, 8


def _database(url: str) -> dict[str, object]:
    from urllib.parse import parse_qsl, unquote, urlsplit

    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": query.pop("port", str(parts.port or "")),
        "CONN_MAX_AGE": 600,
    }


DATABASES = {"default": _database(_url)}
