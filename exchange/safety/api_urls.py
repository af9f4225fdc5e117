"""Addresses of the safety devices in the API."""

from django.urls import path

from exchange.safety import api

urlpatterns = [
    path("orders/countdown/", api.Countdowns.as_view()),
    path("panic/", api.Panic.as_view()),
    path("panic/unlock/", api.Unlock.as_view()),
]
