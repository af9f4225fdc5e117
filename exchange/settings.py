"""All settings, and the only reader of the environment: a missing or odd value stops the start with a sentence."""

import logging
import re
import sys
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs

import structlog
from csp.constants import NONE, SELF
from environs import Env, EnvError

from exchange.environment import (
    address,
    all_or_none,
    database,
    is_loopback,
    is_plain,
    origin,
    rate,
    redis_parts,
    stop,
    venue_key,
)

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()


def read(kind: str, name: str, **options: object) -> object:
    try:
        return getattr(env, kind)(name, **options)
    except (EnvError, ValueError) as error:
        return stop(f"{name} is missing or not usable: {str(error).rstrip('.')}.")


def text(name: str, default: str | None = "") -> str:
    """The variable's text; an empty variable counts as one that was not given."""
    value = str(read("str", name, default="")).strip() or default
    return stop(f"{name} is missing.") if value is None else value


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in allowed:
        stop(f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")
    return value


def number(name: str, default: int, *, low: int, high: int) -> int:
    raw = text(name, str(default))
    if not (raw.isascii() and raw.isdecimal()) or not low <= int(raw) <= high:
        stop(f"{name} is {raw!r}; it must be a whole number from {low} to {high}.")
    return int(raw)


def amounts(name: str, default: str) -> list[Decimal]:
    raw = [part.strip() for part in text(name, default).split(",")]
    if not all(re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,8})?", part) for part in raw):
        stop(f"{name} is {','.join(raw)!r}; it must be plain amounts such as 1000.5, separated by commas.")
    return [Decimal(part) for part in raw]


def flag(name: str, default: bool) -> bool:
    return bool(read("bool", name)) if text(name) else default


def names(name: str) -> list[str]:
    return [part.strip() for part in text(name).split(",") if part.strip()]


# ------------------------------------------------------------------ the installation
PRODUCTION = flag("PRODUCTION", False)
DEBUG = flag("DEBUG", False)
SITE_NAME = text("SITE_NAME", "Causeway")
SITE_URL = origin("SITE_URL", text("SITE_URL"))
PORT = number("PORT", 8000, low=0, high=65535)
DATA_DIR = Path(text("DATA_DIR", str(BASE_DIR / ".data")))
SECRET_KEY = text("SECRET_KEY", None)
SECRET_KEY_FALLBACKS = names("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = names("ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
EMBEDDED_SERVERS = flag("EMBEDDED_SERVERS", False)

# ------------------------------------------------------------------ the venue
VENUES: dict[str, dict[str, str]] = {
    "paper": {"rest": "", "stream": "", "ws_api": "", "sapi": ""},
    "testnet": {
        "rest": "https://testnet.binance.vision",
        "stream": "wss://stream.testnet.binance.vision",
        "ws_api": "wss://ws-api.testnet.binance.vision/ws-api/v3",
        "sapi": "",
    },
    "demo": {
        "rest": "https://demo-api.binance.com",
        "stream": "wss://demo-stream.binance.com",
        "ws_api": "wss://demo-ws-api.binance.com/ws-api/v3",
        "sapi": "",
    },
    "live": {
        "rest": "https://api.binance.com",
        "stream": "wss://stream.binance.com:9443",
        "ws_api": "wss://ws-api.binance.com:443/ws-api/v3",
        "sapi": "https://api.binance.com",
    },
}
VENUE = choice("VENUE", "paper", tuple(VENUES))


VENUE_ADDRESSES = {
    name: address(name, text(name, VENUES[VENUE][part]), *schemes)
    for name, part, schemes in (
        ("BINANCE_REST_URL", "rest", ("https", "http")),
        ("BINANCE_STREAM_URL", "stream", ("wss", "ws")),
        ("BINANCE_WS_API_URL", "ws_api", ("wss", "ws")),
        # The wallet's; testnet and demo have none, and deposits and withdrawals are shown as not available.
        ("BINANCE_SAPI_URL", "sapi", ("https", "http")),
    )
}
if VENUE == "paper":
    all_or_none(VENUE_ADDRESSES)
BINANCE_REST_URL = VENUE_ADDRESSES["BINANCE_REST_URL"]
BINANCE_STREAM_URL = VENUE_ADDRESSES["BINANCE_STREAM_URL"]
BINANCE_WS_API_URL = VENUE_ADDRESSES["BINANCE_WS_API_URL"]
BINANCE_SAPI_URL = VENUE_ADDRESSES["BINANCE_SAPI_URL"]
BINANCE_API_KEY = text("BINANCE_API_KEY")
BINANCE_API_SECRET = text("BINANCE_API_SECRET")
BINANCE_PRIVATE_KEY_FILE = text("BINANCE_PRIVATE_KEY_FILE")
BINANCE_WITHDRAW_API_KEY = text("BINANCE_WITHDRAW_API_KEY")
BINANCE_WITHDRAW_API_SECRET = text("BINANCE_WITHDRAW_API_SECRET")
BINANCE_WITHDRAW_PRIVATE_KEY_FILE = text("BINANCE_WITHDRAW_PRIVATE_KEY_FILE")
BINANCE_USER_STREAM = choice("BINANCE_USER_STREAM", "ws-api", ("ws-api",))
# Which process this is; only `payouts` may hold the withdrawal key.
PROCESS = text("CAUSEWAY_PROCESS", "")

if PROCESS != "payouts" and (
    BINANCE_WITHDRAW_API_KEY or BINANCE_WITHDRAW_API_SECRET or BINANCE_WITHDRAW_PRIVATE_KEY_FILE
):
    stop("BINANCE_WITHDRAW_API_KEY is in this process's environment; only the payouts process may hold it.")
venue_key("BINANCE", key=BINANCE_API_KEY, secret=BINANCE_API_SECRET, file=BINANCE_PRIVATE_KEY_FILE)
venue_key(
    "BINANCE_WITHDRAW",
    key=BINANCE_WITHDRAW_API_KEY,
    secret=BINANCE_WITHDRAW_API_SECRET,
    file=BINANCE_WITHDRAW_PRIVATE_KEY_FILE,
)

RECV_WINDOW_MS = number("BINANCE_RECV_WINDOW_MS", 5000, low=100, high=60000)
GATE_MAX_RELAYS = number("GATE_MAX_RELAYS", 6, low=1, high=64)
# Of these threads of a web process two never wait for the venue.
WEB_THREADS = number("WEB_THREADS", 8, low=3, high=64)
VENUE_TIMEOUT_SECONDS = number("VENUE_TIMEOUT_SECONDS", 12, low=1, high=60)
# Tests of one transaction each cannot leave it; nothing else may talk to the venue inside one.
GATE_INSIDE_TRANSACTIONS = False

# ------------------------------------------------------------------ money rules of the house (basis points, seconds)
PLATFORM_FEE_BPS = number("PLATFORM_FEE_BPS", 10, low=0, high=1000)
MARKET_PROTECTION_BPS = number("MARKET_PROTECTION_BPS", 500, low=1, high=5000)
BOOK_STALE_SECONDS = number("BOOK_STALE_SECONDS", 10, low=1, high=600)
ORDER_WAIT_MS = number("ORDER_WAIT_MS", 2000, low=0, high=10000)
# Threads that carry orders to the venue; 0: the request's own thread does, and waits as long as it takes.
RELAY_THREADS = number("RELAY_THREADS", GATE_MAX_RELAYS, low=0, high=64)
ORDER_SEND_BY_MS = number("ORDER_SEND_BY_MS", 4000, low=100, high=60000)
ORDER_RESOLVE_MARGIN_MS = number("ORDER_RESOLVE_MARGIN_MS", 15000, low=100, high=600000)
SWEEP_SECONDS = number("SWEEP_SECONDS", 2, low=1, high=60)
# Listed at the first start, in this order, when the venue has more markets than a page can show.
FIRST_MARKETS = names("FIRST_MARKETS") or [
    "BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "TRXUSDT", "LINKUSDT", "LTCUSDT",
    "AVAXUSDT", "DOTUSDT", "ETHBTC", "BNBBTC", "SOLBTC", "BTCUSDC", "ETHUSDC", "BTCEUR", "ETHEUR", "BTCFDUSD",
]  # fmt: skip
# A credited deposit that every reading of the history lacked for this long counts as taken back.
DEPOSIT_GONE_SECONDS = number("DEPOSIT_GONE_SECONDS", 600, low=0, high=604_800)
POLL_SECONDS = number("POLL_SECONDS", 10, low=1, high=600)
# The books are held against the venue so often; what two runs find, so far apart at least, is a difference. Above this
# worth in the asset of reference it stops new orders and withdrawals of its asset.
RECONCILE_SECONDS = number("RECONCILE_SECONDS", 300, low=5, high=86400)
RECONCILE_PATIENCE_SECONDS = number("RECONCILE_PATIENCE_SECONDS", 60, low=1, high=3600)
RECONCILE_STOP_WORTH = number("RECONCILE_STOP_WORTH", 100, low=0, high=10**12)
RECONCILE_KEEP_DAYS = number("RECONCILE_KEEP_DAYS", 30, low=1, high=3650)
REFERENCE_ASSET = text("REFERENCE_ASSET", "USDT")
# What customers are owed is proven anew after so many hours.
PROOF_HOURS = number("PROOF_HOURS", 24, low=1, high=720)

# ------------------------------------------------------------------ evidence
# How often the books are sealed, and how many transfers a block has at most.
SEAL_SECONDS = number("SEAL_SECONDS", 5, low=1, high=3600)
SEAL_BLOCK = number("SEAL_BLOCK", 1000, low=1, high=100_000)
# A transfer that waits longer than this to be sealed is an alarm.
SEAL_LATE_SECONDS = number("SEAL_LATE_SECONDS", 600, low=10, high=86_400)
# Where each block leaves the house: a line of a file at once, and the latest one by mail every day.
SEAL_FILE = Path(text("SEAL_FILE") or DATA_DIR / "seals.txt")
SEAL_MAIL_TO = names("SEAL_MAIL_TO")
SNAPSHOT_SECONDS = number("SNAPSHOT_SECONDS", 60, low=1, high=86_400)

# ------------------------------------------------------------------ withdrawals (worth in the reference asset, minutes)
# One figure a tier, from "not verified" on; tiers beyond the list have the last one.
WITHDRAWAL_DAY_LIMITS = amounts("WITHDRAWAL_DAY_LIMITS", "0,20000")
WITHDRAWAL_MONTH_LIMITS = amounts("WITHDRAWAL_MONTH_LIMITS", "0,200000")
# Up to the first in 24 hours nobody need look when nothing speaks against it; above the second two people must.
WITHDRAWAL_AUTO_LIMIT = amounts("WITHDRAWAL_AUTO_LIMIT", "0")[0]
WITHDRAWAL_TWO_PEOPLE_ABOVE = amounts("WITHDRAWAL_TWO_PEOPLE_ABOVE", "10000")[0]
WITHDRAWAL_MANY_A_DAY = number("WITHDRAWAL_MANY_A_DAY", 5, low=1, high=1000)
TRAVEL_RULE_FROM = amounts("TRAVEL_RULE_FROM", "1000")[0]
WITHDRAWAL_CONFIRM_MINUTES = number("WITHDRAWAL_CONFIRM_MINUTES", 30, low=1, high=1440)
WITHDRAWAL_HOLD_MINUTES = number("WITHDRAWAL_HOLD_MINUTES", 1440, low=0, high=20160)
ADDRESS_COOL_OFF_MINUTES = number("ADDRESS_COOL_OFF_MINUTES", 1440, low=0, high=20160)
BOOK_ONLY_OFF_MINUTES = number("BOOK_ONLY_OFF_MINUTES", 2880, low=0, high=20160)
# Who stays longer in a state than this is put before staff.
WITHDRAWAL_MOST_MINUTES = {
    state: number(f"WITHDRAWAL_{state}_MINUTES", most, low=1, high=100_000)
    for state, most in {
        "AWAITING": WITHDRAWAL_CONFIRM_MINUTES + 15,
        "REQUESTED": 1440,
        "APPROVED": 60,
        "SENDING": 15,
        "SENT": 360,
    }.items()
}

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
_redis = redis_parts("REDIS_URL", REDIS_URL)
REDIS_PREFIX = text("REDIS_PREFIX", "causeway")
_redis_db = parse_qs(_redis.query).get("db", ["0"])[-1]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
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

# ------------------------------------------------------------------ applications
INSTALLED_APPS = [
    "exchange",
    "exchange.desk.apps.DeskAdminConfig",
    "exchange.desk.apps.DeskConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.headless",
    "exchange.office",
    "exchange.gate",
    "markets",
    "accounts",
    "ledger",
    "orders",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "exchange.pages.Strangers",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "exchange.pages.RefusalPages",
]
ROOT_URLCONF = "exchange.urls"
WSGI_APPLICATION = "exchange.asgi.wsgi"
ASGI_APPLICATION = "exchange.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "exchange.context.site",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

# ------------------------------------------------------------------ people
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/wallet/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = False
MFA_ADAPTER = "accounts.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = SITE_NAME
USERSESSIONS_TRACK_ACTIVITY = True
HEADLESS_ONLY = False
HEADLESS_CLIENTS = ("app",)
HEADLESS_SERVE_SPECIFICATION = False
HEADLESS_FRONTEND_URLS: dict[str, str] = {}

# ------------------------------------------------------------------ web
USE_X_FORWARDED_HOST = flag("USE_X_FORWARDED_HOST", False)
TRUSTED_PROXIES = number("TRUSTED_PROXIES", 0, low=0, high=5)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = [origin("CSRF_TRUSTED_ORIGINS", each) for each in names("CSRF_TRUSTED_ORIGINS")]
CSRF_TRUSTED_ORIGINS = CSRF_TRUSTED_ORIGINS or ([SITE_URL] if SITE_URL else [])
SECURE_TLS = flag("SECURE_TLS", PRODUCTION)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = SECURE_TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_TLS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [SELF],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "exchange.uploads.Bounded",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
# Documents of customers: outside every web root, served only by a view that asks who is looking.
PRIVATE_DIR = DATA_DIR / "private"

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [
    BASE_DIR / "static",
    ("vendor", BASE_DIR / "node_modules" / "lightweight-charts" / "dist"),
    ("vendor", BASE_DIR / "node_modules" / "big.js"),
]
STATICFILES_DIRS = [
    entry for entry in STATICFILES_DIRS if Path(entry[1] if isinstance(entry, tuple) else entry).is_dir()
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "exchange.static.ModuleStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = not PRODUCTION and DEBUG

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]
# A language is offered once its catalogue is there; half a translation is none.
LANGUAGES = [
    (code, name)
    for code, name, folder in (
        ("en", "English", ""),
        ("zh-hans", "简体中文", "zh_Hans"),
        ("zh-hant", "繁體中文", "zh_Hant"),
    )
    if not folder or (BASE_DIR / "locale" / folder / "LC_MESSAGES" / "django.mo").is_file()
]
USE_TZ = True
TIME_ZONE = "UTC"

# ------------------------------------------------------------------ mail: rows first, then the server if one is named
EMAIL_HOST = text("EMAIL_HOST")
EMAIL_PORT = number("EMAIL_PORT", 587, low=1, high=65535)
EMAIL_HOST_USER = text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = text("DEFAULT_FROM_EMAIL", "exchange@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# ------------------------------------------------------------------ API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiTokenAuthentication",
        "accounts.authentication.AppSessionAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "accounts.permissions.CanTrade",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["exchange.api.StrictJSONParser", "rest_framework.parsers.MultiPartParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "exchange.api.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["exchange.api.UserThrottle", "exchange.api.AnonThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "user": rate("API_RATE_USER", text("API_RATE_USER", "1200/min")),
        "anon": rate("API_RATE_ANON", text("API_RATE_ANON", "300/min")),
    },
    "EXCEPTION_HANDLER": "exchange.api.handle_error",
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": f"{SITE_NAME} API",
    "DESCRIPTION": "Amounts are decimal strings. Errors are {code, message, field}.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
}

# ------------------------------------------------------------------ sweeps
CELERY_BROKER_URL = (
    f"redis+socket://{_redis.path}?virtual_host={_redis_db}" if _redis.scheme == "unix" else REDIS_URL
)
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": f"{REDIS_PREFIX}.celery."}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"


def every(task: str, seconds: int) -> dict[str, object]:
    # A tick nobody took before the next one is worthless: it expires instead of piling up.
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 2)}}


CELERY_BEAT_SCHEDULE = {
    "send notices": every("exchange.office.tasks.send_notices", SWEEP_SECONDS),
    "resolve pending orders": every("orders.tasks.resolve_pending_orders", SWEEP_SECONDS),
    "reconcile open orders": every("orders.tasks.reconcile_open_orders", 3 * POLL_SECONDS),
    "carry out approvals": every("ledger.tasks.carry_out_approvals", SWEEP_SECONDS),
    "poll deposits": every("ledger.tasks.poll_deposits", POLL_SECONDS),
    # One call of the history costs a tenth of the account's weight of a minute, whatever it shows.
    "poll withdrawals": every("ledger.tasks.poll_withdrawals", max(2 * POLL_SECONDS, 10)),
    "revisit withdrawals": every("ledger.tasks.revisit_withdrawals", 60 * POLL_SECONDS),
    "expire withdrawals": every("ledger.tasks.expire_withdrawals", SWEEP_SECONDS),
    "note overdue withdrawals": every("ledger.tasks.note_overdue_withdrawals", 3 * POLL_SECONDS),
    "reconcile": every("ledger.tasks.reconcile", RECONCILE_SECONDS),
    "compare history": every("ledger.tasks.compare_history", RECONCILE_SECONDS),
    "compare trades": every("orders.tasks.compare_trades", RECONCILE_SECONDS),
    "prune reconciliations": every("ledger.tasks.prune_reconciliations", 3600),
    "seal books": every("ledger.tasks.seal_books", SEAL_SECONDS),
    "export seals": every("ledger.tasks.export_seals", SEAL_SECONDS),
    "mail seal": every("ledger.tasks.mail_seal", 300),
    "snapshot house": every("ledger.tasks.snapshot_house", SNAPSHOT_SECONDS),
    "publish due proof": every("ledger.tasks.publish_due_proof", 30 * POLL_SECONDS),
    "synchronise first networks": every("ledger.tasks.synchronise_first_networks", SWEEP_SECONDS),
    "synchronise networks": every("ledger.tasks.synchronise_networks", 6 * POLL_SECONDS),
    "synchronise catalogue": every("markets.tasks.synchronise_catalogue", 30 * POLL_SECONDS),
    "beat": every("exchange.office.tasks.heartbeat", SWEEP_SECONDS),
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")

# ------------------------------------------------------------------ logs: event words and ids, one line of key=value
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
    ],
    logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "daphne": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "websocket": {"level": "CRITICAL"},
    },
}

# ------------------------------------------------------------------ production refuses what would hurt its customers
if PRODUCTION:
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
    if VENUE != "paper" and not BINANCE_API_KEY:
        stop("BINANCE_API_KEY is missing.")
    if PROCESS == "payouts" and BINANCE_SAPI_URL and not BINANCE_WITHDRAW_API_KEY:
        stop("BINANCE_WITHDRAW_API_KEY is missing; withdrawals could not be sent.")
    for _name, _url in VENUE_ADDRESSES.items():
        if is_plain(_url) and (VENUE == "live" or not is_loopback(_url)):
            stop(f"{_name} is {_url!r}; in production the venue is spoken to by https:// and wss:// alone.")
if VENUE == "paper" and not BINANCE_REST_URL:
    # The addresses of the paper venue are made by `make run`; commands that need no venue still work.
    BINANCE_REST_URL, BINANCE_STREAM_URL = "http://127.0.0.1:9", "ws://127.0.0.1:9"
    BINANCE_WS_API_URL, BINANCE_SAPI_URL = "ws://127.0.0.1:9/ws-api/v3", "http://127.0.0.1:9"
