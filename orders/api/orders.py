"""Orders and trades by API."""

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import is_by_token
from accounts.permissions import CanTrade
from exchange.api import MoneyField, StrictSerializer, WholeField, shared
from markets import queries as markets
from markets.errors import UnknownMarket
from orders import lifeline, queries, schedule, services, ways
from orders.models import (
    FINAL,
    Channel,
    FeeRule,
    Fill,
    Order,
    RouteKind,
    Side,
    Status,
    TimeInForce,
    Type,
)

SYMBOL, SIDE = OpenApiParameter("symbol", str), OpenApiParameter("side", str, enum=Side.values)
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The order's own id, unless client_order_id says it.",
)


class OrderIn(StrictSerializer):
    """What an order says alone and in a list alike."""

    side = serializers.ChoiceField(choices=Side.choices)
    type = serializers.ChoiceField(choices=Type.choices)
    time_in_force = serializers.ChoiceField(choices=TimeInForce.choices, required=False, allow_blank=True)
    price = MoneyField(required=False, allow_null=True)
    quantity = MoneyField(required=False, allow_null=True)
    stop_price = MoneyField(required=False, allow_null=True)
    trailing_delta = WholeField(
        required=False, allow_null=True, help_text="Basis points from the best price since, a whole number."
    )
    iceberg_quantity = MoneyField(
        required=False, allow_null=True, help_text="How much of it the book shows at a time."
    )


class TicketIn(OrderIn):
    symbol = serializers.CharField(max_length=64)
    quote_quantity = MoneyField(required=False, allow_null=True)
    client_order_id = serializers.CharField(
        max_length=64, required=False, help_text="Yours, unique for ever: a repeat gives the first order."
    )


class ReplacementIn(StrictSerializer):
    price = MoneyField(required=False, help_text="Left out: as it is.")
    quantity = MoneyField(required=False, help_text="Of the new order; left out: what has not traded.")
    client_order_id = serializers.CharField(max_length=64, required=False)


class AmendIn(StrictSerializer):
    quantity = MoneyField(help_text="Of the whole order, what has been filled included; only less than now.")


class OrderOut(serializers.ModelSerializer[Order]):
    client_order_id = serializers.CharField(source="nonce")
    symbol = serializers.CharField(source="market_id")
    price = MoneyField()
    quantity = MoneyField()
    quote_quantity = MoneyField()
    stop_price = MoneyField()
    iceberg_quantity = MoneyField()
    cumulative_quantity = MoneyField()
    cumulative_quote = MoneyField()
    original_quantity = MoneyField()
    replaces = serializers.IntegerField(source="replaces_id", help_text="The order whose place it takes.")
    is_changeable = serializers.BooleanField(
        help_text="Its price or amount can be changed now.", read_only=True
    )
    route_of = serializers.IntegerField(
        source="route_of_id", help_text="The order it is one of two trades of."
    )
    route = serializers.ChoiceField(
        choices=RouteKind.choices, source="way", read_only=True, help_text="How it is executed."
    )

    class Meta:
        model = Order
        fields = [
            "id", "client_order_id", "order_list", "leg", "replaces", "symbol", "side", "type", "time_in_force",
            "status", "reason_code", "reason", "route", "route_of",
            "price", "quantity", "original_quantity", "quote_quantity", "stop_price", "trailing_delta",
            "iceberg_quantity", "cumulative_quantity", "cumulative_quote", "fee_bps", "maker_fee_bps",
            "is_changeable", "cancel_requested_at", "created_at", "updated_at", "finished_at",
        ]  # fmt: skip


class FillOut(serializers.ModelSerializer[Fill]):
    order = serializers.IntegerField(source="order_id")
    symbol = serializers.CharField(source="market_id")
    side = serializers.CharField(source="order.side")
    price = MoneyField()
    quantity = MoneyField()
    quote_quantity = MoneyField()
    fee = MoneyField()
    fee_asset = serializers.CharField(source="fee_asset_id")
    route = serializers.ChoiceField(choices=RouteKind.choices, read_only=True, help_text="How it came about.")
    price_improvement = MoneyField(
        source="improvement",
        allow_null=True,
        help_text="In quote, against the venue's best price at that moment; of trades with another customer of ours.",
    )

    class Meta:
        model = Fill
        fields = [
            "id", "order", "symbol", "side", "price", "quantity", "quote_quantity", "fee", "fee_asset",
            "fee_bps", "is_maker", "route", "price_improvement", "at",
        ]  # fmt: skip


class OrderStepOut(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=lifeline.KINDS)
    text = serializers.CharField(help_text="What happened, in words.")
    at = serializers.DateTimeField(allow_null=True)
    is_open = serializers.BooleanField(help_text="True for what is waited for.")


class Narrowed(StrictSerializer):
    symbol = serializers.CharField(max_length=64, required=False)
    side = serializers.ChoiceField(choices=Side.choices, required=False)

    def validate_symbol(self, symbol: str) -> str:
        """Orders of a market that is listed no more can be canceled like any other."""
        if markets.market_row_or_none(symbol) is None:
            raise UnknownMarket(field="symbol")
        return symbol


class Canceling(serializers.Serializer[Any]):
    asked = serializers.IntegerField()


class FeeLineOut(serializers.ModelSerializer[FeeRule]):
    symbol = serializers.CharField(source="market_id", allow_null=True)
    min_volume = MoneyField()

    class Meta:
        model = FeeRule
        fields = ["name", "symbol", "tier", "min_volume", "maker_bps", "taker_bps"]


class FeesOut(serializers.Serializer[Any]):
    usual_bps = serializers.IntegerField(
        help_text="Basis points of what is received, where no line is better."
    )
    volume = MoneyField(allow_null=True, help_text="Yours of 30 days, in the asset of reference.")
    counted_at = serializers.DateTimeField(allow_null=True)
    lines = FeeLineOut(many=True, source="rules")


class RouteOut(serializers.Serializer[Any]):
    kind = serializers.CharField()
    over = serializers.CharField(help_text="The asset between two trades.")
    saving_bps = MoneyField(allow_null=True)
    saving = MoneyField(allow_null=True)
    saving_asset = serializers.CharField()
    text = serializers.SerializerMethodField()

    def get_text(self, route: services.PreviewedRoute) -> str:
        return ways.foretold(route.kind, route.over, route.saving_bps)


class PreviewOut(serializers.Serializer[Any]):
    average = MoneyField(allow_null=True)
    worst = MoneyField(allow_null=True)
    quantity = MoneyField()
    quote = MoneyField()
    fee = MoneyField()
    fee_asset = serializers.CharField()
    held = MoneyField()
    held_asset = serializers.CharField()
    slippage_bps = MoneyField(allow_null=True)
    filled_share = MoneyField(allow_null=True)
    is_complete = serializers.BooleanField()
    limit_price = MoneyField(allow_null=True)
    route = RouteOut(allow_null=True, help_text="Null where ways are not compared.")


def ticket_of(request: Request) -> services.Ticket:
    """The request's ticket; its nonce is client_order_id, else the Idempotency-Key, else one of ours."""
    found = dict(shared(TicketIn).run_validation(request.data))
    nonce = nonce_of(request, found.pop("client_order_id", ""))
    return services.Ticket(**{"time_in_force": "", **found}, nonce=nonce, channel=channel_of(request))


def channel_of(request: Request) -> str:
    """A page's own requests come by the website, whoever shows a token by the API."""
    return Channel.API if is_by_token(request) else Channel.SITE


def nonce_of(request: Request, said: str) -> str:
    return said or request.headers.get("Idempotency-Key", "") or uuid.uuid4().hex


def code_of(order: Order) -> int:
    return status.HTTP_202_ACCEPTED if order.status == Status.PENDING else status.HTTP_201_CREATED


class Orders(ListAPIView[Order]):
    permission_classes = [IsAuthenticated, CanTrade]
    serializer_class = OrderOut
    queryset = Order.objects.none()

    def get_queryset(self) -> QuerySet[Order]:
        found = queries.orders_of(self.request.user)  # type: ignore[arg-type]
        if symbol := self.request.query_params.get("symbol"):
            found = found.filter(market_id=symbol)
        wanted = self.request.query_params.get("status")
        if wanted == "open":
            return found.exclude(status__in=FINAL)
        return found.filter(status=wanted.upper()) if wanted else found

    @extend_schema(
        parameters=[
            OpenApiParameter("status", str, description="open, or one status"),
            SYMBOL,
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=TicketIn, responses={201: OrderOut, 202: OrderOut}, parameters=[KEY])
    def post(self, request: Request) -> Response:
        order = services.place_order(user=request.user, ticket=ticket_of(request))  # type: ignore[arg-type]
        return Response(shared(OrderOut).to_representation(order), status=code_of(order))

    @extend_schema(
        operation_id="orders_cancel_all",
        parameters=[SIDE, SYMBOL],
        responses=Canceling,
        description="Asks for the end of all open orders, or of those of one market or side; tells how many they are.",
    )
    def delete(self, request: Request) -> Response:
        form = Narrowed(data=request.query_params)
        form.is_valid(raise_exception=True)
        asked = services.cancel_orders(user=request.user, **form.validated_data)  # type: ignore[arg-type]
        return Response(Canceling({"asked": asked}).data, status=status.HTTP_202_ACCEPTED)


class OrderRow(APIView):
    permission_classes = [IsAuthenticated, CanTrade]

    @extend_schema(responses=OrderOut)
    def get(self, request: Request, order_id: int) -> Response:
        return Response(OrderOut(queries.order_of(request.user, order_id)).data)  # type: ignore[arg-type]

    @extend_schema(
        request=AmendIn,
        responses={200: OrderOut, 202: OrderOut},
        description="Makes an open order smaller; it keeps its place. 202: the venue has not answered yet.",
    )
    def patch(self, request: Request, order_id: int) -> Response:
        form = AmendIn(data=request.data)
        form.is_valid(raise_exception=True)
        order = services.amend_order(user=request.user, order_id=order_id, **form.validated_data)  # type: ignore[arg-type]
        is_done = order.quantity == form.validated_data["quantity"]
        return Response(OrderOut(order).data, status=200 if is_done else 202)

    @extend_schema(
        responses={200: OrderOut, 202: OrderOut},
        description="Asks for the order's end, and with it for that of its list; the answer is its state afterwards."
        " 202: it has not ended yet, and will be canceled as soon as the venue can be asked and answers.",
    )
    def delete(self, request: Request, order_id: int) -> Response:
        order = services.cancel_order(user=request.user, order_id=order_id)  # type: ignore[arg-type]
        return Response(OrderOut(order).data, status=200 if order.is_final else 202)


class OrderEvents(GenericAPIView[Order]):
    """What happened to an order, oldest first."""

    permission_classes = [IsAuthenticated, CanTrade]
    serializer_class = OrderStepOut
    queryset = Order.objects.none()

    @extend_schema(operation_id="orders_events_list", responses=OrderStepOut(many=True))
    def get(self, request: Request, order_id: int) -> Response:
        steps = lifeline.steps(queries.order_of(request.user, order_id))  # type: ignore[arg-type]
        page = self.paginate_queryset(steps)
        return self.get_paginated_response(OrderStepOut(page, many=True).data)


class Replace(APIView):
    permission_classes = [IsAuthenticated, CanTrade]

    @extend_schema(
        request=ReplacementIn,
        responses={201: OrderOut, 202: OrderOut},
        parameters=[KEY],
        description="A new order takes the place of the open one; it is REJECTED when that ended meanwhile.",
    )
    def post(self, request: Request, order_id: int) -> Response:
        form = ReplacementIn(data=request.data)
        form.is_valid(raise_exception=True)
        found = dict(form.validated_data)
        nonce = nonce_of(request, found.pop("client_order_id", ""))
        found["channel"] = channel_of(request)
        order = services.replace_order(user=request.user, order_id=order_id, nonce=nonce, **found)  # type: ignore[arg-type]
        return Response(OrderOut(order).data, status=code_of(order))


class Preview(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(request=TicketIn, responses=PreviewOut)
    def post(self, request: Request) -> Response:
        found = services.preview(ticket_of(request), user=request.user)  # type: ignore[arg-type]
        return Response(PreviewOut(found).data)


class Fills(ListAPIView[Fill]):
    serializer_class = FillOut
    queryset = Fill.objects.none()

    def get_queryset(self) -> QuerySet[Fill]:
        found = queries.fills_of(self.request.user)  # type: ignore[arg-type]
        symbol = self.request.query_params.get("symbol")
        return found.filter(market_id=symbol) if symbol else found


class Fees(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=FeesOut, description="The schedule; a market's own fee is told with the market.")
    def get(self, request: Request) -> Response:
        return Response(FeesOut(schedule.schedule(request.user)).data)  # type: ignore[arg-type]
