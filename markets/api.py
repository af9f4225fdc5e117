"""Public market data by API."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchange.api import MoneyField, Pages
from exchange.errors import Unavailable
from markets import queries, rules, services
from markets.models import Market

DEEPEST, MOST_TRADES = 1000, 100
LIMIT = OpenApiParameter("limit", int)


class MarketOut(serializers.ModelSerializer[Market]):
    base = serializers.CharField(source="base_id")
    quote = serializers.CharField(source="quote_id")
    tick_size = serializers.SerializerMethodField()
    step_size = serializers.SerializerMethodField()
    min_notional = serializers.SerializerMethodField()
    fee_bps = serializers.IntegerField(help_text="Of what an order receives, in basis points.")

    class Meta:
        model = Market
        fields = [
            "symbol", "base", "quote", "status", "is_trading", "tick_size", "step_size", "min_notional", "fee_bps",
            "order_types", "filters",
        ]  # fmt: skip

    def get_tick_size(self, market: Market) -> str:
        return MoneyField().to_representation(rules.tick_size(market.filters))

    def get_step_size(self, market: Market) -> str:
        return MoneyField().to_representation(rules.step_size(market.filters))

    def get_min_notional(self, market: Market) -> str:
        return MoneyField().to_representation(rules.min_notional(market.filters))


class LevelOut(serializers.ListField):
    child = serializers.CharField()


class BookOut(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    epoch = serializers.IntegerField()
    u = serializers.IntegerField()
    event_ms = serializers.IntegerField()
    published_ms = serializers.IntegerField()
    state = serializers.CharField()
    age_ms = serializers.IntegerField()
    known = serializers.IntegerField(
        allow_null=True,
        help_text="So many of the best levels of both sides are known without a hole; null: all.",
    )
    bids = serializers.ListField(child=LevelOut())
    asks = serializers.ListField(child=LevelOut())


class TradeOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    price = serializers.CharField()
    quantity = serializers.CharField()
    at = serializers.IntegerField(help_text="Milliseconds UTC.")
    maker_side = serializers.CharField()


class TickerOut(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    last = serializers.CharField()
    open = serializers.CharField()
    high = serializers.CharField()
    low = serializers.CharField()
    volume = serializers.CharField()
    quote_volume = serializers.CharField()
    change_percent = serializers.CharField()
    closes = serializers.ListField(
        child=MoneyField(), help_text="Of the last 24 hourly candles, as far as they are known."
    )


class CandleOut(serializers.Serializer[Any]):
    open_at = serializers.DateTimeField()
    open = MoneyField()
    high = MoneyField()
    low = MoneyField()
    close = MoneyField()
    volume = MoneyField()
    quote_volume = MoneyField()
    trades = serializers.IntegerField()
    closed = serializers.BooleanField(source="is_closed")


@extend_schema_field({"type": "string", "example": "05:45"})
class ZoneField(serializers.Field):
    """A time zone as the venue writes it; minutes east of UTC inside."""

    def to_internal_value(self, data: str) -> int:
        return rules.zone_minutes(data)


class CandleQuery(serializers.Serializer[Any]):
    interval = serializers.ChoiceField(choices=list(rules.INTERVALS), default="1h")
    limit = serializers.IntegerField(min_value=1, max_value=services.MOST_CANDLES, default=500)
    before = serializers.DateTimeField(required=False, help_text="Only candles that open before this.")
    timeZone = ZoneField(default=0, help_text='Where days begin: "8", "-1:00", "05:45". Times stay UTC.')


class WholePages(Pages):
    """A venue's usual number of markets fits one page."""

    default_limit = 500


class Public(APIView):
    """Open to everybody; nothing personal is in it, so it may be cached for a moment."""

    permission_classes = [AllowAny]
    authentication_classes: list[Any] = []


def limit_of(request: Request, default: int, most: int) -> int:
    raw = request.query_params.get("limit", str(default))
    if not (raw.isascii() and raw.isdecimal()) or not 1 <= int(raw[:9]) <= most:
        raise serializers.ValidationError({"limit": _("Give a whole number from 1 to %d.") % most})
    return int(raw)


@method_decorator(cache_control(public=True, max_age=30), name="get")
@extend_schema_view(get=extend_schema(operation_id="markets_list"))
class Markets(Public, ListAPIView):
    """The markets that can be seen here, in the order staff gave them."""

    serializer_class = MarketOut
    pagination_class = WholePages
    filter_backends = []

    def get_queryset(self) -> list[Market]:  # type: ignore[override]
        return queries.shown()


class MarketRow(Public):
    @extend_schema(responses=MarketOut, operation_id="markets_one")
    @method_decorator(cache_control(public=True, max_age=30))
    def get(self, request: Request, symbol: str) -> Response:
        return Response(MarketOut(queries.market(symbol)).data)


class Book(Public):
    @extend_schema(responses=BookOut, parameters=[LIMIT])
    @method_decorator(cache_control(public=True, max_age=0))
    def get(self, request: Request, symbol: str) -> Response:
        limit = limit_of(request, 100, DEEPEST)
        book = queries.levels_of(queries.market(symbol).symbol, limit)
        if book is None:
            raise Unavailable(_("The book of this market is not there yet."))
        sides = {"bids": book.bids[:limit], "asks": book.asks[:limit]}
        return Response(BookOut({**book.__dict__, **sides, "age_ms": book.age_ms}).data)


class Trades(Public):
    @extend_schema(responses=TradeOut(many=True), parameters=[LIMIT])
    @method_decorator(cache_control(public=True, max_age=0))
    def get(self, request: Request, symbol: str) -> Response:
        limit = limit_of(request, 50, MOST_TRADES)
        return Response(TradeOut(queries.recent_trades(queries.market(symbol).symbol, limit), many=True).data)


class Candles(Public):
    @extend_schema(responses=CandleOut(many=True), parameters=[CandleQuery])
    @method_decorator(cache_control(public=True, max_age=1))
    def get(self, request: Request, symbol: str) -> Response:
        wanted = CandleQuery(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        asked = wanted.validated_data
        found = services.candles(
            queries.market(symbol).symbol,
            asked["interval"],
            before=asked.get("before"),
            limit=asked["limit"],
            zone=asked["timeZone"],
        )
        return Response(CandleOut(found, many=True).data)


@method_decorator(cache_control(public=True, max_age=1), name="get")
class Tickers(Public, ListAPIView):
    """The last 24 hours of every market that can be seen here, with the prices at their ends."""

    serializer_class = TickerOut
    pagination_class = WholePages
    filter_backends = []

    def get_queryset(self) -> list[dict[str, Any]]:  # type: ignore[override]
        known, closes = queries.tickers(), queries.hourly_closes()
        shown = [known[market.symbol] for market in queries.shown() if market.symbol in known]
        return [{**asdict(ticker), "closes": closes.get(ticker.symbol, [])} for ticker in shown]


class ServerTime(Public):
    @extend_schema(responses={200: {"type": "object", "properties": {"time": {"type": "string"}}}})
    def get(self, request: Request) -> Response:
        return Response({"time": datetime.now(UTC).isoformat()})
