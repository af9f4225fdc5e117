"""Deposits by API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchange.api import MoneyField, StrictSerializer
from ledger import lifeline, queries, services
from ledger.models import Deposit, DepositAddress


class AddressIn(StrictSerializer):
    asset = serializers.CharField(max_length=32)
    network = serializers.CharField(max_length=32)


class AddressOut(serializers.ModelSerializer[DepositAddress]):
    asset = serializers.CharField(source="network.asset_id")
    network = serializers.CharField(source="network.code")
    is_shared = serializers.BooleanField(
        help_text="All customers are shown this address: what is sent to it has to be announced."
    )

    class Meta:
        model = DepositAddress
        fields = ["asset", "network", "address", "tag", "is_shared", "created_at"]


class DepositOut(serializers.ModelSerializer[Deposit]):
    asset = serializers.CharField(source="coin")
    amount = MoneyField()

    class Meta:
        model = Deposit
        fields = [
            "id", "asset", "network", "address", "tag", "tx_id", "amount", "is_internal", "status", "confirmations",
            "unlock_confirmations", "seen_at", "credited_at", "unlocked_at",
        ]  # fmt: skip


class LifeStepOut(serializers.Serializer[Any]):
    text = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    is_open = serializers.BooleanField(help_text="True for what is waited for.")


class DepositDetailOut(DepositOut):
    status = serializers.CharField(help_text="As in the list.")
    life = serializers.SerializerMethodField()
    advice = serializers.SerializerMethodField()

    class Meta(DepositOut.Meta):
        fields = [*DepositOut.Meta.fields, "life", "advice"]

    @extend_schema_field(LifeStepOut(many=True))
    def get_life(self, deposit: Deposit) -> Any:
        return LifeStepOut(lifeline.steps(deposit), many=True).data

    def get_advice(self, deposit: Deposit) -> str:
        return lifeline.advice(deposit)


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
        wanted = self.request.query_params.get("tx_id", "").strip()
        return queries.find_mine(self.request.user, wanted).deposits  # type: ignore[arg-type]

    @extend_schema(parameters=[OpenApiParameter("tx_id", str)])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class DepositRow(APIView):
    @extend_schema(responses=DepositDetailOut)
    def get(self, request: Request, deposit_id: int) -> Response:
        return Response(DepositDetailOut(queries.deposit_of(request.user, deposit_id)).data)  # type: ignore[arg-type]
