"""The demo world: real papers, real decision, made once, never in production."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import KycCase, User
from exchange.office.models import AuditRecord

PASSWORDS = {
    f"DEMO_PASSWORD_{name}": f"{name.lower()} has a long one" for name in ("ALICE", "BOB", "CAROL", "DAVE")
}


@pytest.fixture
def installation(tmp_path: Path, settings: Settings) -> Path:
    """An installation whose venue has no control door, so that nobody is funded."""
    settings.DATA_DIR, settings.PRIVATE_DIR, settings.VENUE = tmp_path, tmp_path / "private", "testnet"
    (tmp_path / "secrets.json").write_text(json.dumps(PASSWORDS))
    return tmp_path


def demo() -> str:
    said = StringIO()
    call_command("demo", stdout=said)
    return said.getvalue()


def test_alice_is_verified_by_a_real_case_that_carol_decided(db: None, installation: Path) -> None:
    demo()
    case = KycCase.objects.get(user__email="alice@example.com")
    assert (case.status, case.decided_by and case.decided_by.email) == ("APPROVED", "carol@example.com")
    assert case.documents.count() == 2
    assert AuditRecord.objects.filter(action="kyc.approved", subject_id=str(case.pk)).exists()
    assert User.objects.get(email="bob@example.com").tier == User.Tier.NONE


def test_everybody_signs_in_with_the_installations_password(db: None, installation: Path) -> None:
    said = demo()
    for name in ("alice", "bob", "carol", "dave"):
        browser = Client()
        browser.post(
            "/accounts/login/",
            {"login": f"{name}@example.com", "password": PASSWORDS[f"DEMO_PASSWORD_{name.upper()}"]},
        )
        assert browser.get("/security/").status_code == 200
        assert PASSWORDS[f"DEMO_PASSWORD_{name.upper()}"] not in said


def test_without_kept_passwords_fresh_ones_are_said_once(db: None, installation: Path) -> None:
    (installation / "secrets.json").unlink()
    said = dict(line.split(" ", 1) for line in demo().splitlines())
    assert User.objects.get(email="dave@example.com").check_password(said["dave@example.com"])
    assert demo() == ""


def test_a_second_start_changes_nothing(db: None, installation: Path) -> None:
    demo()
    User.objects.get(email="alice@example.com").kyc_cases.get()
    before = list(AuditRecord.objects.values_list("pk", flat=True))
    demo()
    assert list(AuditRecord.objects.values_list("pk", flat=True)) == before
    assert User.objects.count() == 4


def test_production_refuses(db: None, installation: Path, settings: Settings) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError) as refusal:
        demo()
    assert refusal.value.returncode == 2
    assert not User.objects.exists()


def test_a_venue_that_is_away_is_said_plainly(db: None, installation: Path, settings: Settings) -> None:
    settings.VENUE = "paper"
    settings.GATE_INSIDE_TRANSACTIONS = True
    with pytest.raises(CommandError, match="alice could not be funded"):
        demo()
