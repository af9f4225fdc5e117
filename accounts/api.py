"""The customer's own account by API."""

from datetime import date
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import queries, services
from accounts.forms import countries, not_too_large, plain_text
from accounts.models import ApiToken, KycCase, KycDocument, User
from accounts.permissions import InPerson
from accounts.rules import is_plausible_age
from exchange.api import StrictSerializer, WholeField
from exchange.context import money_label
from exchange.office import services as office
from exchange.office.models import Notice


class ApiRequest(Request):
    """A request that only somebody signed in can make."""

    user: User


class MeOut(serializers.Serializer):
    id = serializers.IntegerField()
    email = serializers.EmailField()
    name = serializers.CharField()
    tier = serializers.IntegerField()
    is_frozen = serializers.BooleanField()
    is_locked = serializers.BooleanField(help_text=_("By the panic button."))
    has_second_factor = serializers.BooleanField()
    unread_notices = serializers.IntegerField()
    language = serializers.CharField()
    venue = serializers.CharField()
    money = serializers.CharField(help_text=_("What kind of money this is; empty when it is real."))


class PersonalIn(StrictSerializer):
    legal_name = serializers.CharField(min_length=2, max_length=160)
    birth_date = serializers.DateField()
    country = serializers.CharField(min_length=2, max_length=2, help_text=_("ISO 3166, two letters."))
    address = serializers.CharField(min_length=5, max_length=500)

    def validate_legal_name(self, value: str) -> str:
        return plain_text(value)

    def validate_address(self, value: str) -> str:
        return plain_text(value)

    def validate_birth_date(self, value: date) -> date:
        if not is_plausible_age(timezone.localdate(), value):
            raise serializers.ValidationError(_("You must be at least 18 years old."))
        return value

    def validate_country(self, value: str) -> str:
        if value.upper() not in dict(countries()):
            raise serializers.ValidationError(_("Give the country's two letters, such as DE."))
        return value.upper()


class DocumentOut(serializers.ModelSerializer):
    class Meta:
        model = KycDocument
        fields = ["id", "kind", "content_type", "size", "sha256", "uploaded_at"]


class DocumentIn(serializers.Serializer):
    kind = serializers.ChoiceField(choices=KycDocument.Kind.choices)
    file = serializers.FileField()

    def validate_file(self, value: UploadedFile) -> UploadedFile:
        return not_too_large(value)


class CaseOut(serializers.ModelSerializer):
    documents = DocumentOut(many=True)
    missing = serializers.SerializerMethodField()

    class Meta:
        model = KycCase
        fields = [
            "id",
            "status",
            "legal_name",
            "birth_date",
            "country",
            "address",
            "documents",
            "missing",
            "submitted_at",
            "decided_at",
            "decision_reason",
        ]

    def get_missing(self, case: KycCase) -> list[str]:
        return [str(kind) for kind in queries.missing_kinds(case)]


class TokenOut(serializers.ModelSerializer):
    class Meta:
        model = ApiToken
        fields = ["id", "name", "prefix", "can_trade", "created_at", "last_used_at", "expires_at"]


class NewTokenOut(TokenOut):
    token = serializers.CharField(help_text=_("Shown once."))

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "token"]


class TokenIn(StrictSerializer):
    name = serializers.CharField(max_length=60)
    can_trade = serializers.BooleanField(default=False)
    days = WholeField(min_value=1, max_value=365, default=90)
    password = serializers.CharField(max_length=256, write_only=True, trim_whitespace=False)

    def validate_name(self, value: str) -> str:
        return plain_text(value)


class NoticeOut(serializers.ModelSerializer):
    class Meta:
        model = Notice
        fields = ["id", "kind", "subject", "body", "created_at", "read_at"]


class ReadOut(serializers.Serializer):
    read = serializers.IntegerField()


class Me(APIView):
    @extend_schema(responses=MeOut)
    def get(self, request: ApiRequest) -> Response:
        user = request.user
        names = ("id", "email", "name", "tier", "is_frozen", "is_locked", "language")
        own = {name: getattr(user, name) for name in names}
        found = {
            **own,
            "has_second_factor": queries.has_second_factor(user),
            "unread_notices": queries.unread_notices(user),
            "venue": settings.VENUE,
            "money": money_label(),
        }
        return Response(MeOut(found).data)


def case_answer(case: KycCase, code: int = status.HTTP_200_OK) -> Response:
    return Response(CaseOut(case).data, status=code)


class Kyc(APIView):
    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(responses=CaseOut)
    def get(self, request: ApiRequest) -> Response:
        """The newest case; a new draft for who has none."""
        return case_answer(queries.latest_case(request.user) or services.open_case(request.user))

    @extend_schema(request=PersonalIn, responses=CaseOut)
    def post(self, request: ApiRequest) -> Response:
        given = PersonalIn(data=request.data)
        given.is_valid(raise_exception=True)
        return case_answer(services.fill_case(request.user, **given.validated_data))


class KycDocuments(APIView):
    permission_classes = [IsAuthenticated, InPerson]
    parser_classes = [MultiPartParser]

    @extend_schema(request={"multipart/form-data": DocumentIn}, responses={201: DocumentOut})
    def post(self, request: ApiRequest) -> Response:
        given = DocumentIn(data=request.data)
        given.is_valid(raise_exception=True)
        kind, file = given.validated_data["kind"], given.validated_data["file"]
        document = services.add_document(request.user, kind=kind, content=file.read())
        return Response(DocumentOut(document).data, status=status.HTTP_201_CREATED)


class KycDocumentRow(APIView):
    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(responses={204: None})
    def delete(self, request: ApiRequest, document_id: int) -> Response:
        services.remove_document(request.user, document_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class KycSubmit(APIView):
    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(request=None, responses=CaseOut)
    def post(self, request: ApiRequest) -> Response:
        return case_answer(services.submit_case(request.user))


class Tokens(ListAPIView):
    permission_classes = [IsAuthenticated, InPerson]
    serializer_class = TokenOut
    filter_backends: list[Any] = []

    request: ApiRequest

    def get_queryset(self) -> QuerySet[ApiToken]:
        return queries.live_tokens(self.request.user)

    @extend_schema(request=TokenIn, responses={201: NewTokenOut})
    def post(self, request: ApiRequest) -> Response:
        """A new token; its text is in this answer and nowhere else. The password is asked for again."""
        given = TokenIn(data=request.data)
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        services.require_password(request.user, fields.pop("password"))
        token, secret = services.issue_token(request.user, **fields)
        return Response({**TokenOut(token).data, "token": secret}, status=status.HTTP_201_CREATED)


class TokenRow(APIView):
    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(responses={204: None})
    def delete(self, request: ApiRequest, token_id: int) -> Response:
        services.revoke_token(request.user, token_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Notices(ListAPIView):
    serializer_class = NoticeOut
    filter_backends: list[Any] = []

    request: ApiRequest

    def get_queryset(self) -> QuerySet[Notice]:
        return queries.notices_of(self.request.user)


class NoticesRead(APIView):
    permission_classes = [IsAuthenticated, InPerson]

    @extend_schema(request=None, responses=ReadOut)
    def post(self, request: ApiRequest) -> Response:
        """All messages count as read."""
        return Response({"read": office.mark_read(request.user)})
