"""Staff see the proofs that were published."""

from django.contrib import admin

from exchange.office.decision import ReadOnly
from ledger.models import Proof


@admin.register(Proof)
class ProofAdmin(ReadOnly):
    list_display = ("number", "taken_at", "customers", "root", "seal_number", "published_at")
    search_fields = ("root",)
