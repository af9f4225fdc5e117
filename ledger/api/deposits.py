"""Deposits by API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchange.api import MoneyField
from ledger import queries, services
from ledger.models import Deposit, DepositAddress


class AddressIn(serializers.Serializer[Any]):
    asset = serializers.CharField(max_length=32)
    network = serializers.CharField(max_length=32)


class AddressOut(serializers.ModelSerializer[DepositAddress]):
    asset = serializers.CharField(source="network.asset_id")
    network = serializers.CharField(source="network.code")

    class Meta:
        model = DepositAddress
        fields = ["asset", "network", "address", "tag", "created_at"]


class DepositOut(serializers.ModelSerializer[Deposit]):
    asset = serializers.CharField(source="asset_id")
    amount = MoneyField()

    class Meta:
        model = Deposit
        fields = [
            "id", "asset", "network", "address", "tag", "tx_id", "amount", "status", "confirmations", "seen_at",
            "credited_at",
        ]  # fmt: skip


class Address(APIView):
    @extend_schema(request=AddressIn, responses=AddressOut)
    def post(self, request: Request) -> Response:
        form = AddressIn(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(AddressOut(services.deposit_address(user=request.user, **form.validated_data)).data)  # type: ignore[arg-type]


class Deposits(ListAPIView[Deposit]):
    serializer_class = DepositOut
    queryset = Deposit.objects.none()

    def get_queryset(self) -> QuerySet[Deposit]:
        return queries.deposits(self.request.user)  # type: ignore[arg-type]
