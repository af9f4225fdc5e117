"""Addresses of the wallet in the API."""

from django.urls import path

from ledger.api import addresses, books, claims, deposits, networks, proofs, withdrawals

urlpatterns = [
    path("balances/", books.Balances.as_view()),
    path("balances/<str:asset>/explanation/", books.Explanation.as_view()),
    path("entries/", books.Entries.as_view()),
    path("networks/", networks.Networks.as_view()),
    path("deposit-address/", deposits.Address.as_view()),
    path("deposits/", deposits.Deposits.as_view()),
    path("deposits/<int:deposit_id>/", deposits.DepositRow.as_view()),
    path("deposit-claims/", claims.Claims.as_view()),
    path("deposit-claims/<int:claim_id>/", claims.ClaimRow.as_view()),
    path("deposit-claims/<int:claim_id>/cancel/", claims.ClaimCancel.as_view()),
    path("proof/", proofs.Proofs.as_view()),
    path("proof/mine/", proofs.OwnProof.as_view(), name="api_own_proof"),
    path("withdrawals/", withdrawals.Withdrawals.as_view()),
    path("withdrawals/quote/", withdrawals.WithdrawalQuote.as_view()),
    path("withdrawals/limits/", withdrawals.WithdrawalLimits.as_view()),
    path("withdrawals/<int:withdrawal_id>/", withdrawals.WithdrawalRow.as_view()),
    path("withdrawals/<int:withdrawal_id>/confirm/", withdrawals.WithdrawalConfirm.as_view()),
    path("withdrawals/<int:withdrawal_id>/cancel/", withdrawals.WithdrawalCancel.as_view()),
    path("addresses/", addresses.SavedAddresses.as_view()),
    path("addresses/book-only/", addresses.BookOnly.as_view()),
    path("addresses/<int:address_id>/remove/", addresses.SavedAddressRemove.as_view()),
]
