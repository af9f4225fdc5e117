"""Addresses of the open pages: home, markets, and what every page's header and footer post to."""

from django.urls import path
from django.views.i18n import set_language

from markets import views

urlpatterns = [
    path("", views.home, name="home"),
    path("markets/", views.market_list, name="markets"),
    path("theme/", views.set_theme, name="theme"),
    path("i18n/setlang/", set_language, name="set_language"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
]
