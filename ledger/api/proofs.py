"""Proofs of liabilities by API: the published roots, and one's own part as the verifier takes it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger import queries
from ledger.models import Proof


class ProofOut(serializers.ModelSerializer[Proof]):
    totals = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = Proof
        fields = [
            "number",
            "taken_at",
            "root",
            "totals",
            "customers",
            "seal_number",
            "seal_hash",
            "published_at",
        ]


class NumberIn(serializers.Serializer[Any]):
    number = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31,
        help_text="Of the proof; the latest when it is left out.",
    )


class StepOut(serializers.Serializer[Any]):
    hash = serializers.CharField()
    sums = serializers.ListField(child=serializers.CharField())


class InclusionOut(serializers.Serializer[Any]):
    format = serializers.CharField()
    proof = serializers.IntegerField()
    taken_at = serializers.DateTimeField()
    root = serializers.CharField()  # type: ignore[assignment]
    assets = serializers.ListField(child=serializers.CharField())
    totals = serializers.ListField(child=serializers.CharField())
    customer = serializers.IntegerField()
    nonce = serializers.CharField()
    amounts = serializers.ListField(child=serializers.CharField())
    position = serializers.IntegerField()
    path = StepOut(many=True)


class Proofs(ListAPIView[Proof]):
    """The latest first. Anybody may read them."""

    permission_classes = [AllowAny]
    serializer_class = ProofOut
    queryset = queries.proofs()


class OwnProof(APIView):
    """What `verify_liabilities.py` takes."""

    @extend_schema(parameters=[NumberIn], responses=InclusionOut)
    def get(self, request: Request) -> Response:
        asked = NumberIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response(queries.inclusion(request.user.pk, asked.validated_data.get("number")))  # type: ignore[arg-type]
