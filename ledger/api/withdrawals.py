"""Withdrawals by API."""

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import InPerson
from exchange.api import MoneyField, StrictSerializer
from exchange.errors import BadNumber
from exchange.money import parse
from ledger import queries, services
from ledger.models import Withdrawal
from ledger.services.beneficiaries import LONGEST_NAME


class FeeField(MoneyField):
    """An amount that may be nothing."""

    def to_internal_value(self, data: object) -> Decimal:
        try:
            return parse(data)
        except BadNumber:
            self.fail("bad")


class WithdrawalIn(StrictSerializer):
    asset = serializers.CharField(max_length=32)
    network = serializers.CharField(max_length=32)
    address = serializers.CharField(max_length=200)
    tag = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    amount = MoneyField(help_text="Taken from the balance, the fee included.")
    fee = FeeField(help_text="As the quote said; refused when it is another now.")
    beneficiary = serializers.CharField(
        max_length=LONGEST_NAME, required=False, allow_blank=True, default="",
        help_text="Full name of the receiver; needed from a worth on.",
    )  # fmt: skip
    holder = serializers.ChoiceField(
        choices=Withdrawal.Holder.choices, required=False, allow_blank=True, default=""
    )
    institution = serializers.CharField(max_length=LONGEST_NAME, required=False, allow_blank=True, default="")
    code = serializers.CharField(max_length=32, help_text="Of the authenticator, used once.")
    nonce = serializers.RegexField(
        r"^[A-Za-z0-9_.:-]{1,64}$", help_text="Yours, unique for ever: a repeat is harmless."
    )

    def asked(self) -> dict[str, Any]:
        said = dict(self.validated_data)
        who = services.Beneficiary(said.pop("beneficiary"), said.pop("holder"), said.pop("institution"))
        return {**said, "beneficiary": who}


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
            "requested_at", "confirm_by", "confirmed_at", "not_before", "finished_at",
        ]  # fmt: skip


class LimitOut(serializers.Serializer[Any]):
    total = MoneyField()
    used = MoneyField()
    left = MoneyField()


class LimitsOut(serializers.Serializer[Any]):
    """Worth in the reference asset, in 24 hours and in 30 days."""

    day = LimitOut()
    month = LimitOut()


class QuoteOut(serializers.Serializer[Any]):
    asset = serializers.CharField(source="route.asset_id")
    network = serializers.CharField(source="route.code")
    amount = MoneyField()
    fee = MoneyField()
    net = MoneyField()
    value = MoneyField(help_text="Worth in the reference asset.")
    withdrawable = MoneyField()
    limits = LimitsOut()


class ConfirmationIn(StrictSerializer):
    token = serializers.CharField(
        max_length=100, required=False, allow_blank=True, default="", help_text="From the mail."
    )


class QuoteIn(StrictSerializer):
    asset = serializers.CharField(max_length=32)
    network = serializers.CharField(max_length=32)
    amount = MoneyField()


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
        made = services.request_withdrawal(user=request.user, **form.asked())  # type: ignore[arg-type]
        return Response(WithdrawalOut(made).data, status=status.HTTP_201_CREATED)


class WithdrawalRow(APIView):
    @extend_schema(responses=WithdrawalOut)
    def get(self, request: Request, withdrawal_id: int) -> Response:
        return Response(WithdrawalOut(queries.withdrawal_of(request.user, withdrawal_id)).data)  # type: ignore[arg-type]


class WithdrawalQuote(APIView):
    """What it would cost and leave, and what is left of the limits."""

    @extend_schema(
        parameters=[OpenApiParameter(name, str, required=True) for name in ("asset", "network", "amount")],
        responses=QuoteOut,
    )
    def get(self, request: Request) -> Response:
        form = QuoteIn(data=request.query_params)
        form.is_valid(raise_exception=True)
        asset, network, amount = (form.validated_data[name] for name in ("asset", "network", "amount"))
        return Response(QuoteOut(queries.quote(request.user, asset, network, amount)).data)  # type: ignore[arg-type]


class WithdrawalLimits(APIView):
    @extend_schema(responses=LimitsOut)
    def get(self, request: Request) -> Response:
        return Response(LimitsOut(queries.limits(request.user)).data)  # type: ignore[arg-type]


class WithdrawalConfirm(APIView):
    """The customer's word; without it nothing is sent."""

    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(request=ConfirmationIn, responses=WithdrawalOut)
    def post(self, request: Request, withdrawal_id: int) -> Response:
        form = ConfirmationIn(data=request.data)
        form.is_valid(raise_exception=True)
        done = services.confirm_withdrawal(
            withdrawal_id=withdrawal_id,
            user=request.user,  # type: ignore[arg-type]
            token=form.validated_data["token"],
        )
        return Response(WithdrawalOut(done).data)


class WithdrawalCancel(APIView):
    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(request=None, responses=WithdrawalOut)
    def post(self, request: Request, withdrawal_id: int) -> Response:
        ended = services.cancel_withdrawal(withdrawal_id=withdrawal_id, user=request.user)  # type: ignore[arg-type]
        return Response(WithdrawalOut(ended).data)
