"""Addresses of conversions in the API."""

from django.urls import path

from exchange.conversions import api

urlpatterns = [
    path("convert/quotes/", api.Quotes.as_view()),
    path("convert/quotes/<int:quote_id>/", api.QuoteRow.as_view()),
    path("convert/quotes/<int:quote_id>/accept/", api.Accept.as_view()),
    path("convert/conversions/", api.Conversions.as_view()),
    path("convert/conversions/<int:conversion_id>/", api.ConversionRow.as_view()),
]
