"""Balances, now and at any moment, statements and explanations by API."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchange.api import MoneyField
from ledger import queries
from ledger.models import Entry, Hold, Transfer

WAYS = [("in", _("brought in")), ("out", _("took out"))]


class BalancesIn(serializers.Serializer[Any]):
    at = serializers.DateTimeField(
        required=False, help_text="The balances at that moment; now when it is left out."
    )


class BalanceOut(serializers.Serializer[Any]):
    asset = serializers.CharField()
    available = MoneyField()
    held = MoneyField()


class SignedField(serializers.CharField):
    """An amount that may be negative, as plain text."""

    def to_representation(self, value: Any) -> str:
        sign = "-" if value < 0 else ""
        return sign + MoneyField().to_representation(abs(value))


class EntriesIn(serializers.Serializer[Any]):
    """Which entries: of an asset, of a period, of a kind of transfer; see the explanation's sums."""

    asset = serializers.CharField(max_length=32, error_messages={"required": _("Say which asset.")})
    to = serializers.DateTimeField(required=False, help_text="Up to this moment, itself left out.")
    kind = serializers.ChoiceField(choices=Transfer.Kind.choices, required=False, default="")
    against = serializers.CharField(max_length=32, required=False, default="")
    way = serializers.ChoiceField(choices=WAYS, required=False, default="")

    def get_fields(self) -> dict[str, Any]:
        since = serializers.DateTimeField(required=False, help_text="From this moment on, itself counted.")
        return {**super().get_fields(), "from": since}

    def validate(self, found: dict[str, Any]) -> dict[str, Any]:
        if "from" in found and "to" in found and found["to"] < found["from"]:
            raise serializers.ValidationError({"to": [_("This is before “from”.")]})
        return found


class EntryOut(serializers.ModelSerializer[Entry]):
    transfer = serializers.IntegerField(source="transfer_id")
    kind = serializers.CharField(source="transfer.kind")
    reference = serializers.SerializerMethodField()
    at = serializers.DateTimeField(source="transfer.created_at")
    asset = serializers.CharField(source="asset_id")
    amount = SignedField()
    balance_after = MoneyField()

    class Meta:
        model = Entry
        fields = ["seq", "at", "transfer", "kind", "reference", "asset", "bucket", "amount", "balance_after"]

    def get_reference(self, entry: Entry) -> str:
        return queries.own_reference(entry.transfer.reference, self.context["request"].user.pk)


class SumOut(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="Of transfer; FILL for every trade.")
    against = serializers.CharField(help_text="Of trades: the other asset.")
    way = serializers.CharField(help_text="Of trades: in or out.")
    amount = SignedField()
    entries = serializers.IntegerField()
    fees = MoneyField(help_text="What we kept of what the trades brought; no part of the amount.")


class HoldOut(serializers.ModelSerializer[Hold]):
    amount = MoneyField()
    remaining = MoneyField()

    class Meta:
        model = Hold
        fields = ["cause", "cause_id", "amount", "remaining", "created_at"]


class ExplanationOut(serializers.Serializer[Any]):
    """The sums add up to the total; less what is held, that is what is available."""

    stored = BalanceOut()
    opened_at = serializers.DateTimeField(allow_null=True)
    opening = MoneyField(help_text="What was there then: nothing, unless the account has very many entries.")
    sums = SumOut(many=True)
    total = SignedField()
    holds = HoldOut(many=True)
    held = MoneyField()
    available = SignedField()
    is_exact = serializers.BooleanField(help_text="The stored balance is exactly this.")


class Balances(ListAPIView[Any]):
    serializer_class = BalanceOut
    filter_backends: list[Any] = []
    queryset = Entry.objects.none()

    def get_queryset(self) -> Any:
        asked = BalancesIn(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        user_id: int = self.request.user.pk  # type: ignore[assignment]
        if at := asked.validated_data.get("at"):
            return queries.balances_at(user_id, at)
        return queries.balances(user_id)

    @extend_schema(parameters=[BalancesIn])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class Explanation(APIView):
    @extend_schema(responses=ExplanationOut)
    def get(self, request: Request, asset: str) -> Response:
        return Response(ExplanationOut(queries.explanation(request.user.pk, asset)).data)  # type: ignore[arg-type]


class Entries(ListAPIView[Entry]):
    serializer_class = EntryOut
    queryset = Entry.objects.none()

    def get_queryset(self) -> QuerySet[Entry]:
        asked = EntriesIn(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        found = dict(asked.validated_data)
        asset, since, until = found.pop("asset"), found.pop("from", None), found.pop("to", None)
        wanted = queries.Wanted(since=since, until=until, **found)
        return queries.statement_of(self.request.user.pk, asset, wanted).entries  # type: ignore[arg-type]

    @extend_schema(parameters=[EntriesIn])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
