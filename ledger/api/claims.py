"""Announced deposits by API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchange.api import MoneyField, StrictSerializer
from ledger import lifeline, queries, services
from ledger.api.deposits import LifeStepOut
from ledger.models import DepositClaim


class ClaimIn(StrictSerializer):
    asset = serializers.CharField(max_length=32)
    network = serializers.CharField(max_length=32)
    tx_id = serializers.CharField(max_length=200)
    amount = MoneyField(help_text="What you sent. Nothing is decided by it.")
    from_address = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    statement = serializers.CharField(
        max_length=2000, help_text="How we can know that you sent it. Files are uploaded on the site."
    )


class ClaimOut(serializers.ModelSerializer[DepositClaim]):
    asset = serializers.CharField(source="network.asset_id")
    network = serializers.CharField(source="network.code")
    amount = MoneyField()
    status = serializers.CharField(help_text="OPEN, ACCEPTED, REFUSED or CANCELED.")
    life = serializers.SerializerMethodField()

    class Meta:
        model = DepositClaim
        fields = [
            "id", "asset", "network", "tx_id", "amount", "from_address", "statement", "status", "reason", "deposit",
            "created_at", "decided_at", "life",
        ]  # fmt: skip

    @extend_schema_field(LifeStepOut(many=True))
    def get_life(self, claim: DepositClaim) -> Any:
        return LifeStepOut(lifeline.claim_steps(claim), many=True).data


class Claims(ListAPIView[DepositClaim]):
    serializer_class = ClaimOut
    queryset = DepositClaim.objects.none()

    def get_queryset(self) -> QuerySet[DepositClaim]:
        return queries.claims(self.request.user)  # type: ignore[arg-type]

    @extend_schema(request=ClaimIn, responses={201: ClaimOut})
    def post(self, request: Request) -> Response:
        form = ClaimIn(data=request.data)
        form.is_valid(raise_exception=True)
        made = services.announce_deposit(user=request.user, **form.validated_data)  # type: ignore[arg-type]
        return Response(ClaimOut(made).data, status=status.HTTP_201_CREATED)


class ClaimRow(APIView):
    @extend_schema(responses=ClaimOut)
    def get(self, request: Request, claim_id: int) -> Response:
        return Response(ClaimOut(queries.claim_of(request.user, claim_id)).data)  # type: ignore[arg-type]


class ClaimCancel(APIView):
    @extend_schema(request=None, responses=ClaimOut)
    def post(self, request: Request, claim_id: int) -> Response:
        ended = services.cancel_claim(claim_id=claim_id, user=request.user)  # type: ignore[arg-type]
        return Response(ClaimOut(ended).data)
