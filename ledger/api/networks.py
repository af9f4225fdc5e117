"""Networks by API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import MoneyField
from ledger import queries
from ledger.models import Network

ASSET = OpenApiParameter("asset", str)


class NetworkOut(serializers.ModelSerializer[Network]):
    asset = serializers.CharField(source="asset_id")
    withdraw_fee = MoneyField()
    withdraw_min = MoneyField()
    withdraw_max = MoneyField()
    withdraw_multiple = MoneyField()

    class Meta:
        model = Network
        fields = [
            "asset", "code", "name", "is_default", "deposit_enabled", "withdraw_enabled", "deposit_note",
            "withdraw_note",
            "needs_tag", "withdraw_fee", "withdraw_min", "withdraw_max", "withdraw_multiple", "confirmations",
        ]  # fmt: skip


class Networks(ListAPIView[Network]):
    serializer_class = NetworkOut
    queryset = Network.objects.none()
    pagination_class: type[BasePagination] | None = None

    def get_queryset(self) -> QuerySet[Network]:
        return queries.networks(self.request.query_params.get("asset"))

    @extend_schema(parameters=[ASSET])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
