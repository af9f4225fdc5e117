"""Addresses of the wallet's pages and of the table of fees."""

from django.urls import path

from ledger import views

urlpatterns = [
    path("wallet/", views.wallet, name="wallet"),
    path("wallet/deposit/", views.DepositPage.as_view(), name="deposit"),
    path("wallet/withdraw/", views.WithdrawPage.as_view(), name="withdraw"),
    path("wallet/history/", views.history, name="wallet_history"),
    path("wallet/withdrawals/<int:withdrawal_id>/cancel/", views.cancel_withdrawal, name="withdrawal_cancel"),
    path("wallet/<str:asset>/", views.statement, name="statement"),
    path("fees/", views.fees, name="fees"),
]
