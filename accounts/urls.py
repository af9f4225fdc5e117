"""Addresses of the pages about the customer's own account."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("verify/", views.verify, name="verify"),
    path("verify/personal/", views.verify_personal, name="verify_personal"),
    path("verify/documents/", views.verify_documents, name="verify_documents"),
    path("verify/documents/<int:document_id>/", views.document, name="kyc_document"),
    path("verify/documents/<int:document_id>/remove/", views.remove_document, name="kyc_document_remove"),
    path("verify/submit/", views.verify_submit, name="verify_submit"),
    path("security/", views.security, name="security"),
    path("security/tokens/new/", views.new_token, name="token_new"),
    path("security/tokens/<int:token_id>/revoke/", views.revoke_token, name="token_revoke"),
    path("notices/", views.notices, name="notices"),
    path("settings/", views.preferences, name="preferences"),
]
