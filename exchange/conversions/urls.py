"""Addresses of the conversion pages."""

from django.urls import URLPattern, path

from exchange.conversions import views

urlpatterns: list[URLPattern] = [
    path("convert/", views.Convert.as_view(), name="convert"),
    path("convert/quotes/<int:quote_id>/", views.quote, name="quote"),
    path("convert/quotes/<int:quote_id>/accept/", views.accept, name="quote_accept"),
    path("convert/<int:conversion_id>/", views.conversion, name="conversion"),
]
