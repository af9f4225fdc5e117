"""Which installation this is, and whose."""

from pathlib import Path

from exchange.environment import origin
from exchange.settings.reading import flag, names, number, text

BASE_DIR = Path(__file__).resolve().parent.parent.parent
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
