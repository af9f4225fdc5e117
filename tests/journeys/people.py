"""The people of the journeys: they know addresses and buttons, and nothing of the code behind them."""

import hashlib
import hmac
import html
import re
import struct
import time
from base64 import b32decode
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import requests

from tests.journeys.site import Site

Found = TypeVar("Found")
PASSWORD = "correct horse battery staple"
TOTP_STEP = 30


def eventually(read: Callable[[], Found | None], *, what: str, seconds: int = 40) -> Found:
    """The first truthy answer within the time; fails with what was awaited."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := read():
            return found
        time.sleep(0.25)
    pytest.fail(f"waited {seconds} s for {what}")


def totp(secret: str, counter: int) -> str:
    """RFC 6238 with SHA-1 and six digits."""
    padded = secret + "=" * (-len(secret) % 8)
    digest = hmac.digest(b32decode(padded), struct.pack(">Q", counter), hashlib.sha1)
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


class AppCustomer:
    """A customer with nothing but the mobile app: the headless door for signing in, /api/v1/ for the rest."""

    def __init__(self, site: Site, email: str) -> None:
        self.site, self.email = site, email
        self.http = requests.Session()
        self.secret, self.last_counter = "", 0

    # -- signing in ---------------------------------------------------------------------------------------------
    def door(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        answer = self.http.request(method, f"{self.site.url}/_allauth/app/v1/{path}", json=body, timeout=20)
        content: dict[str, Any] = answer.json()
        if token := content.get("meta", {}).get("session_token"):
            self.http.headers["X-Session-Token"] = token
        return content

    def sign_up(self) -> None:
        self.door("POST", "auth/signup", {"email": self.email, "password": PASSWORD})

    def signed_in(self, password: str) -> bool:
        """True once the door has let the customer in."""
        try:
            return bool(
                self.door("POST", "auth/login", {"email": self.email, "password": password})["status"] == 200
            )
        except (requests.exceptions.RequestException, ValueError):
            return False

    def verify_mail(self, code: str) -> None:
        assert self.door("POST", "auth/email/verify", {"key": code})["status"] == 200

    def activate_totp(self, password: str = PASSWORD) -> None:
        self.door("POST", "auth/reauthenticate", {"password": password})
        self.secret = self.door("GET", "account/authenticators/totp")["meta"]["secret"]
        assert self.door("POST", "account/authenticators/totp", {"code": self.next_code()})["status"] == 200

    def next_code(self) -> str:
        """A code that was not used before; a used one is refused."""
        while (counter := int(time.time()) // TOTP_STEP) <= self.last_counter:
            time.sleep(0.5)
        self.last_counter = counter
        return totp(self.secret, counter)

    # -- the API ------------------------------------------------------------------------------------------------
    def call(self, method: str, path: str, expect: int | tuple[int, ...], **options: Any) -> Any:
        answer = self.http.request(method, f"{self.site.url}/api/v1/{path}", timeout=30, **options)
        expected = expect if isinstance(expect, tuple) else (expect,)
        assert answer.status_code in expected, f"{method} {path}: {answer.status_code} {answer.text[:400]}"
        return answer.json() if answer.content else None

    def get(self, path: str, expect: int = 200) -> Any:
        return self.call("GET", path, expect)

    def post(self, path: str, body: dict[str, str], expect: int | tuple[int, ...]) -> Any:
        return self.call("POST", path, expect, json=body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path, (200, 202, 204))

    def upload(self, path: str, fields: dict[str, str], name: str, content: bytes) -> Any:
        return self.call("POST", path, 201, data=fields, files={"file": (name, content)})

    def rows(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.get(path)["results"]
        return rows

    def balance(self, asset: str) -> dict[str, str]:
        empty = {"asset": asset, "available": "0", "held": "0"}
        rows = [row for row in self.rows("balances/") if row["asset"] == asset]
        return {key: rows[0][key] for key in empty} if rows else empty

    def available(self, asset: str) -> Decimal:
        return Decimal(self.balance(asset)["available"])

    def place(self, ticket: dict[str, str]) -> dict[str, Any]:
        order: dict[str, Any] = self.post(
            "orders/", {**ticket, "client_order_id": uuid4().hex}, expect=(201, 202)
        )
        return order

    def order_if(self, order_id: int, status: str) -> dict[str, Any] | None:
        order: dict[str, Any] = self.get(f"orders/{order_id}/")
        return order if order["status"] == status else None

    def withdrawal_if(self, withdrawal_id: int, status: str) -> dict[str, Any] | None:
        withdrawal: dict[str, Any] = self.get(f"withdrawals/{withdrawal_id}/")
        return withdrawal if withdrawal["status"] == status else None


class StaffMember:
    """Somebody of staff with a browser: signs in on the site and works in the admin."""

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.http = requests.Session()
        login = f"{site.url}/accounts/login/"
        self.submit(login, {"login": f"{name}@example.com", "password": site.passwords[name]})
        assert "sessionid" in self.http.cookies, f"{name} could not sign in"

    def read(self, path: str) -> str:
        answer = self.http.get(f"{self.site.url}{path}", timeout=20)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text

    def submit(self, url: str, fields: dict[str, str]) -> requests.Response:
        self.http.get(url, timeout=20)
        fields = {**fields, "csrfmiddlewaretoken": self.http.cookies["csrftoken"]}
        answer = self.http.post(url, data=fields, headers={"Referer": url}, timeout=30)
        assert answer.status_code == 200, f"{url}: {answer.status_code}"
        return answer

    def find_id(self, section: str, search: str) -> str | None:
        """The newest row of an admin list that the search finds."""
        page = self.read(f"/admin/{section}/?q={search}")
        found = re.search(rf"/admin/{section}/(\d+)/", page)
        return found.group(1) if found else None

    def code_mailed_to(self, email: str) -> str:
        notice = eventually(lambda: self.find_id("office/notice", email), what=f"a mail to {email}")
        found = re.search(
            r"^\s*([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$",
            self.read(f"/admin/office/notice/{notice}/change/"),
            re.M,
        )
        assert found, "the mail holds no code"
        return found.group(1)

    def confirmation_mailed_to(self, email: str) -> str:
        """The address of the page that the newest mail to confirm a withdrawal names."""
        notice = eventually(
            lambda: self.find_id("office/notice", f"{email}+withdrawal.confirm"), what="a mail to confirm"
        )
        page = html.unescape(self.read(f"/admin/office/notice/{notice}/change/"))
        found = re.search(rf"{re.escape(self.site.url)}(/wallet/withdrawals/\d+/confirm/\?token=\S+)", page)
        assert found, "the mail holds no link"
        return found.group(1)

    def approve_identity(self, email: str) -> None:
        case = self.find_id("accounts/kyccase", email)
        self.submit(f"{self.site.url}/admin/accounts/kyccase/{case}/approve/", {"reason": "documents match"})

    def approve_withdrawal(self, withdrawal_id: int) -> None:
        self.decide(f"ledger/withdrawal/{withdrawal_id}/approve", "known customer")

    def decide(self, decision: str, reason: str) -> str:
        """Presses one button of the admin; gives the page that follows."""
        return self.submit(f"{self.site.url}/admin/{decision}/", {"reason": reason}).text
