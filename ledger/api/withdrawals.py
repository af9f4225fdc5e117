"""Withdrawals by API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import InPerson
from exchange.api import MoneyField
from ledger import queries, services
from ledger.models import Withdrawal


class WithdrawalIn(serializers.Serializer[Any]):
    asset = serializers.CharField(max_length=32)
    network = serializers.CharField(max_length=32)
    address = serializers.CharField(max_length=200)
    tag = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    amount = MoneyField(help_text="Taken from the balance, the fee included.")
    code = serializers.CharField(max_length=32, help_text="Of the authenticator, used once.")
    nonce = serializers.RegexField(
        r"^[A-Za-z0-9_.:-]{1,64}$", help_text="Yours, unique for ever: a repeat is harmless."
    )


class WithdrawalOut(serializers.ModelSerializer[Withdrawal]):
    asset = serializers.CharField(source="asset_id")
    network = serializers.CharField(source="network.code")
    amount = MoneyField()
    fee = MoneyField()
    net = MoneyField()

    class Meta:
        model = Withdrawal
        fields = [
            "id", "nonce", "asset", "network", "address", "tag", "amount", "fee", "net", "status", "tx_id", "reason",
            "requested_at", "finished_at",
        ]  # fmt: skip


class Withdrawals(ListAPIView[Withdrawal]):
    permission_classes = [IsAuthenticated, InPerson]
    serializer_class = WithdrawalOut
    queryset = Withdrawal.objects.none()

    def get_queryset(self) -> QuerySet[Withdrawal]:
        return queries.withdrawals(self.request.user)  # type: ignore[arg-type]

    @extend_schema(request=WithdrawalIn, responses={201: WithdrawalOut})
    def post(self, request: Request) -> Response:
        form = WithdrawalIn(data=request.data)
        form.is_valid(raise_exception=True)
        made = services.request_withdrawal(user=request.user, **form.validated_data)  # type: ignore[arg-type]
        return Response(WithdrawalOut(made).data, status=status.HTTP_201_CREATED)


class WithdrawalRow(APIView):
    @extend_schema(responses=WithdrawalOut)
    def get(self, request: Request, withdrawal_id: int) -> Response:
        return Response(WithdrawalOut(queries.withdrawal_of(request.user, withdrawal_id)).data)  # type: ignore[arg-type]


class WithdrawalCancel(APIView):
    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(request=None, responses=WithdrawalOut)
    def post(self, request: Request, withdrawal_id: int) -> Response:
        ended = services.cancel_withdrawal(withdrawal_id=withdrawal_id, user=request.user)  # type: ignore[arg-type]
        return Response(WithdrawalOut(ended).data)
