"""Money in and out at the venue's wire: records as the venue tells them, and what people ask for."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

from accounts.models import User
from exchange.office.models import Notice
from ledger import services as ledger
from ledger.models import Withdrawal
from tests.factories import make_user
from tests.venue import Venue

ADDRESS = "TJ6Piuaw35M4PM54CzWFqzEPP998yXydc6"
CONFIG = [
    {
        "coin": "USDT",
        "name": "TetherUS",
        "networkList": [
            {
                "network": "TRX", "name": "Tron (TRC20)", "isDefault": True, "depositEnable": True,
                "withdrawEnable": True,
                "addressRegex": "^T[1-9A-HJ-NP-Za-km-z]{33}$", "memoRegex": "", "withdrawFee": "1", "withdrawMin": "10",
                "withdrawMax": "9999999", "withdrawIntegerMultiple": "0.000001", "minConfirm": 1, "unLockConfirm": 0,
            }
        ],
    },
    {"coin": "NOTLISTED", "networkList": []},
]  # fmt: skip
HISTORY, SUB_HISTORY = "/sapi/v1/capital/deposit/hisrec", "/sapi/v1/capital/deposit/subHisrec"
APPLY, SENT = "/sapi/v1/capital/withdraw/apply", "/sapi/v1/capital/withdraw/history"
OWN_WALLET = ledger.Beneficiary("Alice Example", "OWN")
TRANSFER = "/sapi/v1/sub-account/universalTransfer"


def record(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A final deposit of 100 USDT to alice's address."""
    return {
        "id": str(number), "amount": "100", "coin": "USDT", "network": "TRX", "status": 1, "address": "T-alice",
        "addressTag": "", "txId": f"tx{number}", "insertTime": 1_700_000_000_000, "confirmTimes": "1/1", **changes,
    }  # fmt: skip


def page_of(records: list[dict[str, Any]], asked: dict[str, Any]) -> list[dict[str, Any]]:
    """What of a history the request asks for."""
    start = int(asked["offset"])
    return records[start : start + int(asked["limit"])]


def poll(venue: Venue, *records: dict[str, Any]) -> None:
    venue.on("GET", SUB_HISTORY, (200, list(records)))
    ledger.poll_deposits()


def with_address(user: User) -> User:
    ledger.deposit_address(user=user, asset="USDT", network="TRX")
    return user


def unused_code(user: User) -> str:
    """A recovery code; each opens once."""
    return RecoveryCodes(Authenticator.objects.get(user=user, type="recovery_codes")).get_unused_codes()[0]


def request(user: User, **changes: Any) -> Withdrawal:
    wanted: dict[str, Any] = {
        "asset": "USDT", "network": "TRX", "address": ADDRESS, "tag": "", "amount": Decimal(100), "fee": Decimal(1),
        "code": "-", "nonce": "n1",
    }  # fmt: skip
    if Authenticator.objects.filter(user=user).exists():
        wanted["code"] = unused_code(user)
    return ledger.request_withdrawal(user=user, **{**wanted, **changes})


def mailed_token(withdrawal: Withdrawal) -> str:
    """What the customer finds in the newest mail about it."""
    page = f"/wallet/withdrawals/{withdrawal.pk}/confirm/"
    mail = Notice.objects.filter(kind="withdrawal.confirm", body__contains=page).order_by("-id").first()
    found = re.search(r"token=(\S+)", mail.body if mail else "")
    assert found, "no mail with a confirmation"
    return found.group(1)


def confirm(withdrawal: Withdrawal) -> Withdrawal:
    return ledger.confirm_withdrawal(
        withdrawal_id=withdrawal.pk, user=withdrawal.user, token=mailed_token(withdrawal)
    )


def confirmed(user: User, **changes: Any) -> Withdrawal:
    return confirm(request(user, **changes))


def staff(name: str = "carol") -> User:
    return User.objects.filter(email=f"{name}@example.com").first() or make_user(name, is_staff=True)


def approved(user: User, **changes: Any) -> Withdrawal:
    return ledger.approve_withdrawal(withdrawal_id=confirmed(user, **changes).pk, by=staff())


def brought_to(withdrawal: Withdrawal, status: str, at: datetime) -> None:
    """The row as if the venue had been told of it at that time."""
    row = Withdrawal.objects.filter(pk=withdrawal.pk)
    row.update(status="SENDING", sending_at=at)
    if status != "SENDING":
        row.update(status=status)


def sent_record(withdrawal: Withdrawal, status: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": "w1", "amount": "99", "transactionFee": "1", "coin": "USDT", "status": status, "address": ADDRESS,
        "txId": "tx" if status == 6 else "", "network": "TRX", "withdrawOrderId": withdrawal.client_id, **changes,
    }  # fmt: skip


def status_of(withdrawal: Withdrawal) -> str:
    withdrawal.refresh_from_db()
    return withdrawal.status
