"""Addresses of the wallet in the API."""

from django.urls import path

from ledger import api

urlpatterns = [
    path("balances/", api.Balances.as_view()),
    path("entries/", api.Entries.as_view()),
    path("networks/", api.Networks.as_view()),
    path("deposit-address/", api.Address.as_view()),
    path("deposits/", api.Deposits.as_view()),
    path("withdrawals/", api.Withdrawals.as_view()),
    path("withdrawals/<int:withdrawal_id>/", api.WithdrawalRow.as_view()),
    path("withdrawals/<int:withdrawal_id>/cancel/", api.WithdrawalCancel.as_view()),
]
