"""Lists of orders by API."""

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import CanTrade
from exchange.api import MoneyField, StrictSerializer
from orders import outlook, queries, services
from orders.api.orders import KEY, OrderIn, OrderOut, channel_of
from orders.models import Leg, OrderList, Status


class LegIn(OrderIn):
    """One order of a list."""


class ListIn(StrictSerializer):
    """OCO: above and below, of one side and amount. OTO: working, and pending. OTOCO: working, above and below."""

    kind = serializers.ChoiceField(choices=OrderList.Kind.choices)
    symbol = serializers.CharField(max_length=64)
    working = LegIn(required=False, help_text="LIMIT or LIMIT_MAKER; the others wait until it is filled.")
    pending = LegIn(required=False)
    above = LegIn(required=False)
    below = LegIn(required=False)
    client_order_id = serializers.CharField(
        max_length=64, required=False, help_text="Yours, unique for ever: a repeat gives the first list."
    )


class OrderListOut(serializers.ModelSerializer[OrderList]):
    client_order_id = serializers.CharField(source="nonce")
    symbol = serializers.CharField(source="market_id")
    status = serializers.ChoiceField(choices=["EXECUTING", "ALL_DONE", "REJECT"], read_only=True)
    orders = OrderOut(many=True)

    class Meta:
        model = OrderList
        fields = ["id", "client_order_id", "kind", "symbol", "status", "created_at", "orders"]


class ListPreviewOut(serializers.Serializer[Any]):
    held = MoneyField(help_text="Set aside when it is placed.")
    held_asset = serializers.CharField()
    later_held = MoneyField(
        allow_null=True, help_text="At most, once what waits begins; null: nothing waits."
    )
    later_held_asset = serializers.CharField()
    outlook = serializers.ListField(
        child=serializers.CharField(), source="sentences", help_text="What can happen, in words."
    )


def list_ticket_of(request: Request) -> services.ListTicket:
    """The request's orders by what they are in the list; its nonce is found as an order's is."""
    form = ListIn(data=request.data)
    form.is_valid(raise_exception=True)
    found = dict(form.validated_data)
    key = found.get("client_order_id", "") or request.headers.get("Idempotency-Key", "")
    nonce, symbol = key or uuid.uuid4().hex, found["symbol"]
    shared = {"symbol": symbol, "nonce": nonce, "channel": channel_of(request)}
    legs = {
        leg: services.Ticket(**{"time_in_force": "", **found[leg.lower()]}, **shared)
        for leg in Leg
        if leg.lower() in found
    }
    return services.ListTicket(kind=found["kind"], symbol=symbol, nonce=nonce, legs=legs)


class OrderLists(ListAPIView[OrderList]):
    permission_classes = [IsAuthenticated, CanTrade]
    serializer_class = OrderListOut
    queryset = OrderList.objects.none()

    def get_queryset(self) -> QuerySet[OrderList]:
        found = queries.order_lists_of(self.request.user)  # type: ignore[arg-type]
        symbol = self.request.query_params.get("symbol")
        return found.filter(market_id=symbol) if symbol else found

    @extend_schema(request=ListIn, responses={201: OrderListOut, 202: OrderListOut}, parameters=[KEY])
    def post(self, request: Request) -> Response:
        found = services.place_order_list(user=request.user, ticket=list_ticket_of(request))  # type: ignore[arg-type]
        is_silent = any(order.status == Status.PENDING for order in found.orders.all())
        code = status.HTTP_202_ACCEPTED if is_silent else status.HTTP_201_CREATED
        return Response(OrderListOut(found).data, status=code)


class OrderListRow(APIView):
    permission_classes = [IsAuthenticated, CanTrade]

    @extend_schema(responses=OrderListOut)
    def get(self, request: Request, list_id: int) -> Response:
        return Response(OrderListOut(queries.order_list_of(request.user, list_id)).data)  # type: ignore[arg-type]

    @extend_schema(
        responses={200: OrderListOut, 202: OrderListOut},
        description="Asks for the end of all its orders; the answer is their state afterwards. 202: they are being"
        " canceled.",
    )
    def delete(self, request: Request, list_id: int) -> Response:
        found = services.cancel_order_list(user=request.user, list_id=list_id)  # type: ignore[arg-type]
        is_over = found.status != "EXECUTING"
        return Response(OrderListOut(found).data, status=200 if is_over else 202)


class ListPreview(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(request=ListIn, responses=ListPreviewOut)
    def post(self, request: Request) -> Response:
        found = outlook.outlook(list_ticket_of(request))
        return Response(ListPreviewOut(found).data)
