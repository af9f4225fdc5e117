"""The safety devices by API."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import CanTrade
from exchange.api import StrictSerializer, WholeField
from orders.api import channel_of
from safety import queries, services
from safety.models import Countdown

SYMBOL = OpenApiParameter("symbol", str, description="Of one market; left out: of all.")


class CountdownIn(StrictSerializer):
    seconds = WholeField(help_text="5 to 86400, from now on.")
    symbol = serializers.CharField(max_length=64, required=False, help_text="Left out: all markets.")


class Named(StrictSerializer):
    symbol = serializers.CharField(max_length=64, required=False)


class CountdownOut(serializers.ModelSerializer[Countdown]):
    symbol = serializers.CharField(source="market_id", allow_null=True, help_text="Null: all markets.")
    now = serializers.SerializerMethodField(help_text="The clock by which deadline_at counts.")

    class Meta:
        model = Countdown
        fields = [
            "symbol", "channel", "is_armed", "seconds", "deadline_at", "renewed_at", "fired_at", "fired_orders", "now",
        ]  # fmt: skip

    def get_now(self, _row: Countdown) -> str:
        return queries.now().isoformat()


class Disarmed(serializers.Serializer[Any]):
    disarmed = serializers.BooleanField()


class Countdowns(APIView):
    permission_classes = [IsAuthenticated, CanTrade]

    @extend_schema(operation_id="countdowns_list", responses=CountdownOut(many=True))
    def get(self, request: Request) -> Response:
        """Those that are armed, and what fired last."""
        found = queries.countdowns_of(request.user)  # type: ignore[arg-type]
        return Response(CountdownOut(found, many=True).data)

    @extend_schema(
        operation_id="countdowns_arm",
        request=CountdownIn,
        responses=CountdownOut,
        description=(
            "The dead-man's switch (known as countdownCancelAll): in so many seconds your open orders are canceled,"
            " unless this is said again before. A page of the website has one of its own, which this does not renew."
        ),
    )
    def put(self, request: Request) -> Response:
        form = CountdownIn(data=request.data)
        form.is_valid(raise_exception=True)
        found = services.arm_countdown(user=request.user, channel=channel_of(request), **form.validated_data)  # type: ignore[arg-type]
        return Response(CountdownOut(found).data)

    @extend_schema(operation_id="countdowns_disarm", parameters=[SYMBOL], responses=Disarmed)
    def delete(self, request: Request) -> Response:
        form = Named(data=request.query_params)
        form.is_valid(raise_exception=True)
        symbol: str = form.validated_data.get("symbol", "")
        done = services.disarm_countdown(
            user=request.user,  # type: ignore[arg-type]
            symbol=symbol,
            channel=channel_of(request),
        )
        return Response(Disarmed({"disarmed": done}).data)
