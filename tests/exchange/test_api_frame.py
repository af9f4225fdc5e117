"""What every part of the API shares: one shape of refusal, strict JSON, and a description of itself."""

import io
import json
import warnings
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client, RequestFactory, override_settings
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from rest_framework import exceptions, serializers

from exchange.api import AnonThrottle, MoneyField, StrictJSONParser, handle_error
from exchange.errors import Conflict, DomainError
from tests.factories import make_user


def body_of(error: Exception) -> dict[str, object]:
    response = handle_error(error, {})
    assert response is not None
    return {"status": response.status_code, **response.data}


def parse(text: str | bytes) -> object:
    return StrictJSONParser().parse(io.BytesIO(text.encode() if isinstance(text, str) else text))


@pytest.mark.parametrize(
    ("error", "status", "code", "field"),
    [
        (DomainError("No.", field="price"), 400, "refused", "price"),
        (Conflict(), 409, "conflict", None),
        (Http404(), 404, "not_found", None),
        (PermissionDenied(), 403, "permission_denied", None),
        (exceptions.NotAuthenticated(), 401, "not_authenticated", None),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed", None),
        (exceptions.ValidationError({"price": ["Too long."]}), 400, "invalid", "price"),
        (exceptions.ValidationError({"ticket": {"price": ["Too long."]}}), 400, "invalid", "ticket.price"),
        (exceptions.ValidationError(["Whole."]), 400, "invalid", None),
    ],
)
def test_a_refusal_is_a_code_a_sentence_and_a_field(
    error: Exception, status: int, code: str, field: str | None
) -> None:
    body = body_of(error)
    assert (body["status"], body["code"], body["field"]) == (status, code, field)
    assert body["message"]


def test_whoever_asks_too_often_is_told_when_to_come_back() -> None:
    response = handle_error(exceptions.Throttled(wait=7), {})
    assert response is not None and response.status_code == 429
    assert response.headers["Retry-After"] == "8"


def test_a_stranger_is_counted_by_address_whomever_the_request_says_it_is_for(rf: RequestFactory) -> None:
    asked = [rf.get("/", headers={"X-Forwarded-For": f"203.0.113.{number}"}) for number in (1, 2)]
    assert [AnonThrottle().get_ident(request) for request in asked] == ["127.0.0.1"] * 2
    with override_settings(ALLAUTH_TRUSTED_PROXY_COUNT=1):
        assert [AnonThrottle().get_ident(request) for request in asked] == ["203.0.113.1", "203.0.113.2"]


def test_what_is_no_refusal_stays_an_error_of_ours() -> None:
    assert handle_error(RuntimeError("broken"), {}) is None


def test_a_number_keeps_every_digit() -> None:
    assert parse('{"a": 0.10, "b": 12345678901234567890}') == {
        "a": Decimal("0.10"),
        "b": 12345678901234567890,
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": ' + "9" * 61 + "}",
        "{",
        b"\xff\xfe",
        '{"a": "\\ud800"}',
        '{"\\uDfff": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_not_plain_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(exceptions.ParseError):
        parse(text)


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    assert parse('{"a": "\\ud83d\\ude00 \\\\ud"}') == {"a": "😀 \\ud"}


@pytest.mark.parametrize(
    "value", [0.1, 1, True, "1e3", "-1", "0", "0.0", "١", "1.0000000000000000001", None, [], "NaN"]
)
def test_an_amount_is_plain_decimal_text_above_zero(value: object) -> None:
    with pytest.raises(serializers.ValidationError):
        MoneyField(allow_null=False).run_validation(value)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/me/", "/api/v1/balances/", "/api/v1/orders/"])
def test_a_door_that_wants_a_name_says_so_in_the_one_shape(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message", "field"}


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "options"])
@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/", "/api/v2/orders/", "/api/v1/markets"])
def test_an_address_the_api_does_not_have_is_refused_in_the_one_shape(
    client: Client, path: str, method: str
) -> None:
    answer = getattr(client, method)(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.django_db
def test_an_address_with_a_nul_in_it_is_refused_in_the_one_shape(client: Client) -> None:
    answer = client.get("/api/v1/orders/%00/")
    assert (answer.status_code, set(answer.json())) == (400, {"code", "message", "field"})


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/api/v1/orders/", "/api/v1/deposit-address/", "/_allauth/app/v1/auth/login"]
)
@pytest.mark.parametrize("is_strict", [False, True])
def test_a_form_that_cannot_be_read_is_refused_in_the_one_shape(path: str, is_strict: bool) -> None:
    browser = Client(enforce_csrf_checks=is_strict)
    browser.force_login(make_user())
    browser.cookies["csrftoken"] = "a" * 32
    answer = browser.generic("POST", path, b"abc", content_type="multipart/form-data")
    assert 400 <= answer.status_code < 500
    assert set(answer.json()) == {"code", "message", "field"}


def test_the_schema_describes_everything_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GENERATOR_STATS.reset()
        schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    complaints = {**GENERATOR_STATS._warn_cache, **GENERATOR_STATS._error_cache}
    assert complaints == {}
    assert {"/api/v1/markets/{symbol}/book/", "/api/v1/orders/", "/api/v1/withdrawals/"} <= set(
        schema["paths"]
    )


@pytest.mark.django_db
def test_anybody_may_read_the_schema_and_the_docs(client: Client) -> None:
    schema = client.get("/api/v1/schema/", headers={"accept": "application/json"})
    assert json.loads(schema.content)["openapi"].startswith("3.")
    page = client.get("/api/v1/docs/")
    assert page.status_code == 200
    assert b"<script>" not in page.content and b"<style" not in page.content
