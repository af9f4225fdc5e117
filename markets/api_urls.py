"""Addresses of public market data in the API."""

from django.urls import path

from markets import api

urlpatterns = [
    path("time/", api.ServerTime.as_view()),
    path("tickers/", api.Tickers.as_view()),
    path("markets/", api.Markets.as_view()),
    path("markets/<str:symbol>/", api.MarketRow.as_view()),
    path("markets/<str:symbol>/book/", api.Book.as_view()),
    path("markets/<str:symbol>/trades/", api.Trades.as_view()),
    path("markets/<str:symbol>/candles/", api.Candles.as_view()),
]
