"""All addresses of the site; each app has its own file."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from exchange.schema import OPEN, NoSuchAddress

ABOVE_ORDERS = ("exchange.safety", "exchange.conversions")
API = [include(f"{app}.api_urls") for app in ("accounts", "markets", "ledger", "orders", *ABOVE_ORDERS)]
PAGES = [include(f"{app}.urls") for app in ("markets", "accounts", "ledger", "orders", *ABOVE_ORDERS)]

handler400 = "exchange.pages.not_understood"
handler500 = "exchange.pages.went_wrong"

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("exchange.schema")),
    *(path("api/v1/", routes) for routes in API),
    re_path(r"^api/", NoSuchAddress.as_view(**OPEN)),
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/", admin.site.urls),
    path("", include("exchange.desk.urls")),
    *(path("", routes) for routes in PAGES),
]
