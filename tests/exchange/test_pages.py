"""Amounts as people type them, and refusals where people see them."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from django import forms
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from exchange.errors import DomainError
from exchange.pages import AmountField, NonceField, not_understood, refuse, typed_amount, went_wrong

SAME_NUMBER = {
    "0.25": "0.25",
    "0,25": "0.25",
    " 1234.5 ": "1234.5",
    "1,234.5": "1234.5",
    "1.234,5": "1234.5",
    "1 234 567,89": "1234567.89",
    "1'234.5": "1234.5",
    "1,234,567": "1234567",
    "0,123": "0.123",
    "1234,567": "1234.567",
}
NO_CLEAR_NUMBER = [
    "1,234",
    "12,345",
    "1.2.3",
    "1,23,456",
    "-1",
    "+1",
    "1e5",
    "NaN",
    "٣",
    "0x10",
    ".",
    "1.",
    ".5",
    "abc",
    "'",
    "\u2019 \u2019",
]


@pytest.mark.parametrize("text", SAME_NUMBER)
def test_comma_point_and_grouping_are_understood(text: str) -> None:
    assert typed_amount(text) == SAME_NUMBER[text]


@pytest.mark.parametrize("text", NO_CLEAR_NUMBER)
def test_what_is_not_one_clear_number_is_refused(text: str) -> None:
    with pytest.raises(forms.ValidationError):
        AmountField().clean(text)


@pytest.mark.parametrize("text", ["0", "0.000", "0,0"])
def test_an_amount_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(forms.ValidationError) as refusal:
        AmountField().clean(text)
    assert refusal.value.code == "zero"


def test_an_amount_keeps_every_digit() -> None:
    assert AmountField().clean("12345678901234567890.123456789012345678") == Decimal(
        "12345678901234567890.123456789012345678"
    )


def test_a_nineteenth_decimal_is_refused_and_not_rounded() -> None:
    with pytest.raises(forms.ValidationError):
        AmountField().clean("0.1234567890123456789")


class Ticket(forms.Form):
    quantity = AmountField(required=False)
    nonce = NonceField()


def test_two_forms_never_share_a_nonce() -> None:
    assert Ticket()["nonce"].value() != Ticket()["nonce"].value()


def test_a_refusal_stands_beside_its_field() -> None:
    form = Ticket({"quantity": "1", "nonce": "n"})
    refuse(form, DomainError("Too much.", field="quantity"))
    assert form.errors["quantity"] == ["Too much."]


def test_a_refusal_of_no_shown_field_stands_above_the_form() -> None:
    form = Ticket({"quantity": "1", "nonce": "n"})
    refuse(form, DomainError("Frozen.", field="account"))
    assert form.non_field_errors() == ["Frozen."]


@pytest.mark.parametrize("shown", [lambda request: not_understood(request, None), went_wrong])
def test_a_page_for_what_went_wrong_is_honest_about_the_money(
    rf: RequestFactory, shown: Callable[[HttpRequest], HttpResponse]
) -> None:
    page = shown(rf.get("/")).text
    assert "Paper trading: simulated prices, no real money" in page
    assert "simulated venue" in page
    assert "test venue of Binance" not in page


def test_what_went_wrong_is_told_to_machines_in_the_one_shape(rf: RequestFactory) -> None:
    answer = went_wrong(rf.get("/api/v1/orders/"))
    assert (answer.status_code, json.loads(answer.content)["code"]) == (500, "error")
