"""Addresses of health, status and figures."""

from django.urls import path

from exchange.desk import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("status.json", health.status_json, name="status_json"),
    path("metrics", health.metrics, name="metrics"),
    path("status/", health.status_page, name="status"),
]
