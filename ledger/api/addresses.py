"""The address book by API."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import InPerson
from exchange.api import StrictSerializer
from ledger import queries, services
from ledger.models import SavedAddress, WithdrawalTerms


class SavedAddressIn(StrictSerializer):
    asset = serializers.CharField(max_length=32)
    network = serializers.CharField(max_length=32)
    address = serializers.CharField(max_length=200)
    tag = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    label = serializers.CharField(max_length=40)  # type: ignore[assignment]  # a field of this name, not a label
    code = serializers.CharField(max_length=32, help_text="Of the authenticator, used once.")


class SavedAddressOut(serializers.ModelSerializer[SavedAddress]):
    asset = serializers.CharField(source="network.asset_id")
    network = serializers.CharField(source="network.code")

    class Meta:
        model = SavedAddress
        fields = ["id", "asset", "network", "address", "tag", "label", "created_at", "usable_at"]


class CodeIn(StrictSerializer):
    code = serializers.CharField(max_length=32, help_text="Of the authenticator, used once.")


class BookOnlyIn(CodeIn):
    is_on = serializers.BooleanField()


class BookOnlyOut(serializers.ModelSerializer[WithdrawalTerms]):
    class Meta:
        model = WithdrawalTerms
        fields = ["is_book_only", "book_only_until"]


class SavedAddresses(ListAPIView[SavedAddress]):
    permission_classes = [IsAuthenticated, InPerson]
    serializer_class = SavedAddressOut
    queryset = SavedAddress.objects.none()

    def get_queryset(self) -> QuerySet[SavedAddress]:
        return queries.saved_addresses(self.request.user)  # type: ignore[arg-type]

    @extend_schema(request=SavedAddressIn, responses={201: SavedAddressOut})
    def post(self, request: Request) -> Response:
        form = SavedAddressIn(data=request.data)
        form.is_valid(raise_exception=True)
        made = services.save_address(user=request.user, **form.validated_data)  # type: ignore[arg-type]
        return Response(SavedAddressOut(made).data, status=status.HTTP_201_CREATED)


class SavedAddressRemove(APIView):
    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(request=CodeIn, responses=SavedAddressOut)
    def post(self, request: Request, address_id: int) -> Response:
        form = CodeIn(data=request.data)
        form.is_valid(raise_exception=True)
        gone = services.remove_address(
            user=request.user,  # type: ignore[arg-type]
            address_id=address_id,
            code=form.validated_data["code"],
        )
        return Response(SavedAddressOut(gone).data)


class BookOnly(APIView):
    """Money goes to addresses of the book alone; switching this off takes effect later."""

    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(responses=BookOnlyOut)
    def get(self, request: Request) -> Response:
        return Response(BookOnlyOut(queries.terms(request.user)).data)  # type: ignore[arg-type]

    @extend_schema(request=BookOnlyIn, responses=BookOnlyOut)
    def post(self, request: Request) -> Response:
        form = BookOnlyIn(data=request.data)
        form.is_valid(raise_exception=True)
        changed = services.set_book_only(user=request.user, **form.validated_data)  # type: ignore[arg-type]
        return Response(BookOnlyOut(changed).data)
