"""Addresses of the wallet's pages."""

from django.urls import path

from ledger.views import addresses, claims, deposits, proofs, statements, wallet, withdrawals

urlpatterns = [
    path("wallet/", wallet.wallet, name="wallet"),
    path("wallet/deposit/", deposits.DepositPage.as_view(), name="deposit"),
    path("wallet/deposits/", deposits.find, name="deposits"),
    path("wallet/deposits/<int:deposit_id>/", deposits.detail, name="deposit_detail"),
    path("wallet/deposits/announce/", claims.AnnouncePage.as_view(), name="announce"),
    path("wallet/announced/<int:claim_id>/", claims.detail, name="claim"),
    path("wallet/announced/<int:claim_id>/cancel/", claims.cancel, name="claim_cancel"),
    path("wallet/announced/<int:claim_id>/proof/", claims.proof, name="claim_proof"),
    path("wallet/withdraw/", withdrawals.WithdrawPage.as_view(), name="withdraw"),
    path("wallet/history/", wallet.history, name="wallet_history"),
    path("wallet/addresses/", addresses.AddressPage.as_view(), name="addresses"),
    path("wallet/addresses/book-only/", addresses.BookOnlyPage.as_view(), name="book_only"),
    path("wallet/addresses/<int:address_id>/remove/", addresses.RemovePage.as_view(), name="address_remove"),
    path("wallet/withdrawals/<int:withdrawal_id>/", withdrawals.withdrawal, name="withdrawal"),
    path(
        "wallet/withdrawals/<int:withdrawal_id>/confirm/",
        withdrawals.ConfirmPage.as_view(),
        name="withdrawal_confirm",
    ),
    path(
        "wallet/withdrawals/<int:withdrawal_id>/cancel/",
        withdrawals.cancel_withdrawal,
        name="withdrawal_cancel",
    ),
    path("wallet/transfers/<int:transfer_id>/", statements.transfer, name="transfer"),
    path("wallet/<str:asset>/", statements.statement, name="statement"),
    path("wallet/<str:asset>/explain/", statements.explain, name="explain"),
    path("proof/", proofs.proof, name="proof"),
    path("proof/<int:number>/", proofs.proof, name="older_proof"),
    path("proof/mine/", proofs.own_proof, name="own_proof"),
]
