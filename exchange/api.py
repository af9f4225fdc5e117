"""What every part of the API shares: one shape of error, strict JSON, pages, throttles."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache as once
from typing import IO, Any, TypeVar

import structlog
from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import BaseParser
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle
from rest_framework.views import set_rollback

from exchange.errors import OUTAGES, BadNumber, DomainError, TooLarge, Unavailable
from exchange.money import parse, plain
from exchange.throttles import CountingThrottle

log = structlog.get_logger()
LONGEST_NUMBER = 60
Form = TypeVar("Form", bound=serializers.BaseSerializer[Any])
_WHOLE = re.compile(r"[0-9]{1,18}")


def handle_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every refusal as {code, message, field}; what is not a refusal stays an error of ours."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        error = TooLarge()
    elif isinstance(error, MultiPartParserError):  # whoever looked for a form's token in the body
        error = exceptions.ParseError(str(error))
    elif isinstance(error, OUTAGES):
        # Limits and used codes cannot be looked up: nothing may pass unchecked.
        log.error("outage", error=type(error).__name__)
        error = Unavailable()
    if isinstance(error, DomainError):
        set_rollback()
        body = {"code": error.code, "message": str(error), "field": error.field}
        if nearest := getattr(error, "nearest", None):
            body["nearest"] = nearest
        return Response(body, status=error.status, headers=_waits(getattr(error, "retry_after", None)))
    if isinstance(error, exceptions.APIException):
        set_rollback()
        return Response(_body_of(error), status=error.status_code, headers=_headers_of(error))
    return None


def _body_of(error: exceptions.APIException) -> dict[str, Any]:
    field, detail = _first(error.detail)
    code = "invalid" if field else str(getattr(detail, "code", error.default_code))
    return {"code": code, "message": str(detail), "field": field}


def _first(detail: Any, field: str | None = None) -> tuple[str | None, Any]:
    """The first complaint of a tree of them, with the field it belongs to."""
    if isinstance(detail, dict):
        name = next(iter(detail))
        if name == "non_field_errors":
            return _first(detail[name], field)
        return _first(detail[name], f"{field}.{name}" if field else str(name))
    if isinstance(detail, list):
        return _first(detail[0], field)
    return field, detail


def _headers_of(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    return headers | _waits(getattr(error, "wait", None))


def _waits(seconds: float | None) -> dict[str, str]:
    return {"Retry-After": str(int(seconds) + 1)} if seconds else {}


class StrictJSONParser(BaseParser):
    """JSON in which a name stands once and a number is what was written: no NaN, no duplicate, no binary float."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            text = stream.read().decode("utf-8")
            found = json.loads(
                text,
                object_pairs_hook=_once,
                parse_constant=_no_constant,
                parse_float=_number,
                parse_int=_number,
            )
            if "\\ud" in text.lower():
                # Half of a surrogate pair is no character: neither the database nor an answer could carry it.
                json.dumps(found, ensure_ascii=False, default=str).encode("utf-8")
        except (ValueError, RecursionError) as error:
            raise exceptions.ParseError(_("This is not JSON as it is expected here: %s.") % error) from error
        return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(_("a name stands twice"))
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(_("%s is not a number") % text)


def _number(text: str) -> Any:
    """Whole numbers as int; others as Decimal, which keeps every digit for the field that refuses or takes them."""
    if len(text) > LONGEST_NUMBER:
        raise ValueError(_("a number is too long"))
    return int(text) if text.lstrip("-").isdecimal() else Decimal(text)


@extend_schema_field({"type": "string", "pattern": r"^[0-9]{1,20}(\.[0-9]{1,18})?$", "example": "0.25"})
class MoneyField(serializers.Field):
    """An amount as plain decimal text, both ways; a JSON number is refused, because it may have lost digits already."""

    default_error_messages = {"bad": BadNumber.message, "zero": _lazy("Enter more than zero.")}

    def to_representation(self, value: Decimal) -> str:
        return plain(value)

    def to_internal_value(self, data: object) -> Decimal:
        try:
            amount = parse(data)
        except BadNumber:
            self.fail("bad")
        if not amount:
            self.fail("zero")
        return amount


@extend_schema_field({"type": "integer", "minimum": 0})
class WholeField(serializers.IntegerField):
    """A whole number, as JSON's own or as plain text; `int` alone would take signs, underscores and foreign digits."""

    def to_internal_value(self, data: Any) -> int:
        is_whole = isinstance(data, int) and not isinstance(data, bool) and data >= 0
        if not is_whole and not (isinstance(data, str) and _WHOLE.fullmatch(data)):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class StrictSerializer(serializers.Serializer[Any]):
    """Takes what it knows, each name once: what is passed over in silence would mean something else than was meant."""

    def to_internal_value(self, data: Any) -> Any:
        for name in set(data) - set(self.fields) if isinstance(data, Mapping) else ():
            raise serializers.ValidationError({str(name): [_("There is no such parameter.")]})
        if isinstance(data, MultiValueDict):
            for name, said in data.lists():
                if len(said) > 1:
                    raise serializers.ValidationError({str(name): [_("Say it once.")]})
            data = data.dict()  # of a form, what is empty would count as not said
        return super().to_internal_value(data)


@once
def shared(kind: type[Form]) -> Form:
    """One serializer of the kind for all requests, whose fields are made once; it keeps nothing of what it is given."""
    return kind()


class Pages(LimitOffsetPagination):
    """`?limit=&offset=`"""

    default_limit = 50
    max_limit = 500


class UserThrottle(CountingThrottle, UserRateThrottle):
    scope = "user"


class AnonThrottle(CountingThrottle, AnonRateThrottle):
    scope = "anon"

    def get_ident(self, request: HttpRequest) -> str:
        """By address, and not by whatever the request says that it was passed on for."""
        return str(get_adapter().get_client_ip(request))
