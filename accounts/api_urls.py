"""Addresses of the customer's own account in the API."""

from django.urls import path

from accounts import api

urlpatterns = [
    path("me/", api.Me.as_view()),
    path("kyc/", api.Kyc.as_view()),
    path("kyc/documents/", api.KycDocuments.as_view()),
    path("kyc/documents/<int:document_id>/", api.KycDocumentRow.as_view()),
    path("kyc/submit/", api.KycSubmit.as_view()),
    path("tokens/", api.Tokens.as_view()),
    path("tokens/<int:token_id>/", api.TokenRow.as_view()),
    path("notices/", api.Notices.as_view()),
    path("notices/read/", api.NoticesRead.as_view()),
]
