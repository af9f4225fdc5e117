"""The database, Redis and the mail server."""

from urllib.parse import parse_qs

from exchange.environment import database, redis_parts
from exchange.settings.reading import flag, number, text

# ------------------------------------------------------------------ databases
DATABASES = {"default": database("DATABASE_URL", text("DATABASE_URL", None))}
DATABASE_OWNER_URL = text("DATABASE_OWNER_URL")
if DATABASE_OWNER_URL:
    DATABASES["owner"] = database("DATABASE_OWNER_URL", DATABASE_OWNER_URL)
    DATABASES["owner"]["CONN_MAX_AGE"] = 0
    DATABASES["owner"]["OPTIONS"].pop("options")  # type: ignore[attr-defined]
    DATABASES["owner"]["TEST"]["MIRROR"] = None  # type: ignore[index]
APP_ROLE = str(DATABASES["default"]["USER"])
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = text("REDIS_URL", None)
REDIS = redis_parts("REDIS_URL", REDIS_URL)
REDIS_PREFIX = text("REDIS_PREFIX", "causeway")
REDIS_DATABASE = parse_qs(REDIS.query).get("db", ["0"])[-1]
CACHES = {
    "default": {
        "BACKEND": "exchange.cache.Cache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": REDIS_PREFIX,
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL}], "prefix": f"{REDIS_PREFIX}.asgi", "capacity": 1000},
    }
}

# ------------------------------------------------------------------ mail: rows first, then the server if one is named
EMAIL_HOST = text("EMAIL_HOST")
EMAIL_PORT = number("EMAIL_PORT", 587, low=1, high=65535)
EMAIL_HOST_USER = text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = text("DEFAULT_FROM_EMAIL", "exchange@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
