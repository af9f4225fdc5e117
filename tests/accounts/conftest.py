"""The cast of these tests: alice, bob the stranger, carol of staff, dave the second pair of eyes."""

from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from pytest_django import Settings

from accounts.models import User

PASSWORD = "correct horse battery staple"


def make_user(name: str, **fields: object) -> User:
    """Somebody whose mail address is verified."""
    user = User.objects.create_user(f"{name}@example.com", PASSWORD, **fields)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def browser_of(user: User) -> Client:
    """A browser in which the user is signed in."""
    client = Client()
    client.force_login(user)
    return client


def signed_in_by_password(user: User) -> Client:
    """A browser in which the user has just shown the password a second time."""
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


@pytest.fixture(autouse=True)
def private_folder(tmp_path: Path, settings: Settings) -> Path:
    settings.PRIVATE_DIR = tmp_path / "private"
    return tmp_path / "private"


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice")


@pytest.fixture
def bob(db: None) -> User:
    return make_user("bob")


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol", is_staff=True, is_superuser=True)


@pytest.fixture
def dave(db: None) -> User:
    return make_user("dave", is_staff=True, is_superuser=True)
