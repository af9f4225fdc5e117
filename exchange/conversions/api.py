"""Conversions by API."""

from datetime import datetime
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
from exchange.conversions import queries, services
from exchange.conversions.models import Conversion, Quote
from orders.api.orders import channel_of
from orders.models import Side


class WishIn(StrictSerializer):
    from_asset = serializers.CharField(max_length=32)
    to_asset = serializers.CharField(max_length=32)
    from_amount = MoneyField(required=False, help_text="What you give; or say to_amount.")
    to_amount = MoneyField(required=False, help_text="What you want to get; or say from_amount.")


class ConversionLegOut(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=Side.choices)
    average = serializers.CharField(help_text="Of the walk through the book.")
    best = serializers.CharField()
    worst = serializers.CharField()
    slippage_bps = serializers.CharField()
    epoch = serializers.IntegerField(help_text="With u the number of the book it was made of.")
    u = serializers.IntegerField()
    age_ms = serializers.IntegerField()


class ConversionQuoteOut(serializers.ModelSerializer[Quote]):
    from_asset = serializers.CharField(source="from_asset_id")
    to_asset = serializers.CharField(source="to_asset_id")
    from_amount = MoneyField()
    to_amount = MoneyField(help_text="What you get: fee and margin are taken off already.")
    fee = MoneyField(help_text="In the asset you get.")
    margin = MoneyField(help_text="In the asset you get: for bearing the move until the quote ends.")
    legs = ConversionLegOut(many=True)
    seconds_left = serializers.SerializerMethodField()
    conversion = serializers.SerializerMethodField(help_text="The conversion it was used for.")
    who_bears_a_move = serializers.SerializerMethodField()

    class Meta:
        model = Quote
        fields = [
            "id", "from_asset", "to_asset", "from_amount", "to_amount", "fee", "fee_bps", "margin", "margin_bps",
            "legs", "created_at", "expires_at", "seconds_left", "conversion", "who_bears_a_move",
        ]  # fmt: skip

    def get_seconds_left(self, quote: Quote) -> int:
        return max(0, int((quote.expires_at - self.context["now"]).total_seconds()))

    def get_conversion(self, quote: Quote) -> int | None:
        return quote.conversion.pk if hasattr(quote, "conversion") else None

    def get_who_bears_a_move(self, _quote: Quote) -> str:
        return "the house, until the quote ends"


class ConversionOut(serializers.ModelSerializer[Conversion]):
    quote = serializers.IntegerField(source="quote_id")
    from_asset = serializers.CharField(source="quote.from_asset_id")
    to_asset = serializers.CharField(source="quote.to_asset_id")
    from_amount = MoneyField(source="quote.from_amount")
    to_amount = MoneyField(source="quote.to_amount")
    fee = MoneyField(source="quote.fee")
    margin = MoneyField(source="quote.margin")

    class Meta:
        model = Conversion
        fields = [
            "id",
            "quote",
            "from_asset",
            "to_asset",
            "from_amount",
            "to_amount",
            "fee",
            "margin",
            "accepted_at",
        ]


def told(quote: Quote, code: int = status.HTTP_200_OK) -> Response:
    now: datetime = queries.now()
    return Response(ConversionQuoteOut(quote, context={"now": now}).data, status=code)


class Quotes(APIView):
    permission_classes = [IsAuthenticated, CanTrade]

    @extend_schema(request=WishIn, responses={201: ConversionQuoteOut})
    def post(self, request: Request) -> Response:
        """A firm price for one use within a few seconds; the house bears whatever the market does until then."""
        form = WishIn(data=request.data)
        form.is_valid(raise_exception=True)
        wish = services.Wish(**form.validated_data)
        quote = services.make_quote(user=request.user, wish=wish, channel=channel_of(request))  # type: ignore[arg-type]
        return told(quote, status.HTTP_201_CREATED)


class QuoteRow(APIView):
    permission_classes = [IsAuthenticated, CanTrade]

    @extend_schema(responses=ConversionQuoteOut)
    def get(self, request: Request, quote_id: int) -> Response:
        return told(queries.quote_of(request.user, quote_id))  # type: ignore[arg-type]


class Accept(APIView):
    permission_classes = [IsAuthenticated, CanTrade]

    @extend_schema(
        request=None,
        responses={201: ConversionOut},
        description="Uses the quote; said again, it gives the same conversion and does nothing.",
    )
    def post(self, request: Request, quote_id: int) -> Response:
        found = services.accept_quote(user=request.user, quote_id=quote_id, channel=channel_of(request))  # type: ignore[arg-type]
        return Response(ConversionOut(found).data, status=status.HTTP_201_CREATED)


class Conversions(ListAPIView[Conversion]):
    permission_classes = [IsAuthenticated, CanTrade]
    serializer_class = ConversionOut
    queryset = Conversion.objects.none()

    def get_queryset(self) -> QuerySet[Conversion]:
        return queries.conversions_of(self.request.user)  # type: ignore[arg-type]


class ConversionRow(APIView):
    permission_classes = [IsAuthenticated, CanTrade]

    @extend_schema(responses=ConversionOut)
    def get(self, request: Request, conversion_id: int) -> Response:
        return Response(ConversionOut(queries.conversion_of(request.user, conversion_id)).data)  # type: ignore[arg-type]
