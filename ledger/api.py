"""Balances, statements, deposits and withdrawals by API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.pagination import BasePagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import InPerson
from exchange.api import MoneyField
from ledger import queries, services
from ledger.models import Deposit, DepositAddress, Entry, Network, Withdrawal

ASSET = OpenApiParameter("asset", str)


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


class Networks(ListAPIView[Network]):
    serializer_class = NetworkOut
    queryset = Network.objects.none()
    pagination_class: type[BasePagination] | None = None

    def get_queryset(self) -> QuerySet[Network]:
        return queries.networks(self.request.query_params.get("asset"))

    @extend_schema(parameters=[ASSET])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


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
