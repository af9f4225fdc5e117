"""After a panic: what is wanted again is left alone, and nobody takes the house's place."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from exchange.safety import services
from exchange.safety.models import Panic
from tests.factories import make_user
from tests.orders.test_placing import place
from tests.safety.test_panic import rich
from tests.venue import Venue

__all__ = ["rich"]


def test_what_is_ordered_after_the_unlock_is_left_alone(rich: User) -> None:
    services.press(user=rich, channel="SITE")
    Panic.objects.update(pressed_at=timezone.now() - timedelta(minutes=1))  # the worker was away
    carol = make_user("carol", is_staff=True)
    accounts.unlock(rich.pk, "it was me", carol)
    order = place(User.objects.get(pk=rich.pk), nonce="after")
    services.finish_panics()
    order.refresh_from_db()
    assert order.cancel_requested_at is None, "canceled by a panic of before the unlock"


def test_nobody_can_be_the_house(db: None, client: Client, venue: Venue) -> None:
    words = {
        "email": "house@conversions.invalid",
        "password1": "a-Long-passw0rd-77",
        "password2": "a-Long-passw0rd-77",
    }
    client.post("/accounts/signup/", words)
    house = accounts.house_customer()
    assert not house.is_active and not house.has_usable_password()
