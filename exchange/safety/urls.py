"""Addresses of the safety devices' pages."""

from django.urls import path

from exchange.safety import views

urlpatterns = [
    path("orders/countdown/arm/", views.arm, name="countdown_arm"),
    path("orders/countdown/disarm/", views.disarm, name="countdown_disarm"),
    path("security/panic/", views.panic, name="panic"),
    path("security/unlock/", views.unlock, name="unlock"),
]
