"""Balances and statements by API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import MoneyField
from ledger import queries
from ledger.models import Entry


class BalanceOut(serializers.Serializer[Any]):
    asset = serializers.CharField()
    available = MoneyField()
    held = MoneyField()


class SignedField(serializers.CharField):
    """An amount that may be negative, as plain text."""

    def to_representation(self, value: Any) -> str:
        sign = "-" if value < 0 else ""
        return sign + MoneyField().to_representation(abs(value))


class EntryOut(serializers.ModelSerializer[Entry]):
    kind = serializers.CharField(source="transfer.kind")
    reference = serializers.CharField(source="transfer.reference")
    at = serializers.DateTimeField(source="transfer.created_at")
    asset = serializers.CharField(source="asset_id")
    amount = SignedField()
    balance_after = MoneyField()

    class Meta:
        model = Entry
        fields = ["seq", "at", "kind", "reference", "asset", "bucket", "amount", "balance_after"]


class Balances(ListAPIView[Any]):
    serializer_class = BalanceOut
    filter_backends: list[Any] = []
    queryset = Entry.objects.none()

    def get_queryset(self) -> Any:
        return queries.balances(self.request.user.pk)  # type: ignore[arg-type]


class Entries(ListAPIView[Entry]):
    serializer_class = EntryOut
    queryset = Entry.objects.none()

    def get_queryset(self) -> QuerySet[Entry]:
        asset = self.request.query_params.get("asset", "")
        if not asset:
            raise serializers.ValidationError({"asset": ["Say which asset."]})
        return queries.statement(self.request.user.pk, asset)  # type: ignore[arg-type]

    @extend_schema(parameters=[OpenApiParameter("asset", str, required=True)])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
