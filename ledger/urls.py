"""Addresses of the wallet's pages and of the table of fees."""

from django.urls import path

from ledger.views import deposits, wallet, withdrawals

urlpatterns = [
    path("wallet/", wallet.wallet, name="wallet"),
    path("wallet/deposit/", deposits.DepositPage.as_view(), name="deposit"),
    path("wallet/withdraw/", withdrawals.WithdrawPage.as_view(), name="withdraw"),
    path("wallet/history/", wallet.history, name="wallet_history"),
    path(
        "wallet/withdrawals/<int:withdrawal_id>/cancel/",
        withdrawals.cancel_withdrawal,
        name="withdrawal_cancel",
    ),
    path("wallet/<str:asset>/", wallet.statement, name="statement"),
    path("fees/", wallet.fees, name="fees"),
]
