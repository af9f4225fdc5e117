"""The safety devices by API."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import services as accounts
from accounts.permissions import CanTrade, InPerson
from exchange.api import StrictSerializer, WholeField
from exchange.pages import client_address
from exchange.safety import queries, services
from exchange.safety.models import Countdown
from exchange.safety.models import Panic as PanicRow
from orders.api.orders import channel_of

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


class PanicIn(StrictSerializer):
    confirm = serializers.BooleanField(help_text="True, so that nobody locks the account by mistake.")

    def validate_confirm(self, said: bool) -> bool:
        if said is not True:
            raise serializers.ValidationError(_("Say true: it locks the account."))
        return said


class PanicOut(serializers.ModelSerializer[PanicRow]):
    class Meta:
        model = PanicRow
        fields = ["pressed_at", "orders", "withdrawals", "sessions", "tokens"]


class Panic(APIView):
    permission_classes = [IsAuthenticated, CanTrade]

    @extend_schema(
        request=PanicIn,
        responses=PanicOut,
        description=(
            "The panic button: locks the account, asks for the end of all orders, takes back withdrawals that were not"
            " sent, ends every session and revokes every token, this one too. What cannot be done now is done as soon"
            " as it can. The account is unlocked in person, by the second factor, or by staff."
        ),
    )
    def post(self, request: Request) -> Response:
        form = PanicIn(data=request.data)
        form.is_valid(raise_exception=True)
        address = client_address(request)
        found = services.press(user=request.user, channel=channel_of(request), address=address)  # type: ignore[arg-type]
        return Response(PanicOut(found).data)


class UnlockIn(StrictSerializer):
    code = serializers.CharField(max_length=32)


class Unlocked(serializers.Serializer[Any]):
    is_locked = serializers.BooleanField()


class Unlock(APIView):
    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(request=UnlockIn, responses=Unlocked)
    def post(self, request: Request) -> Response:
        """A code of the authenticator that was there before the account was locked."""
        form = UnlockIn(data=request.data)
        form.is_valid(raise_exception=True)
        accounts.unlock_self(request.user, form.validated_data["code"])  # type: ignore[arg-type]
        return Response(Unlocked({"is_locked": False}).data)
