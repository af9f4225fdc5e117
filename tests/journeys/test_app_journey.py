"""One customer's life through the API and the mobile app's door alone, over real HTTP against the running product.

Sign up, verify the mail, prove identity, be approved by staff, deposit, buy, place and cancel, withdraw,
confirm by mail, see it done.
"""

import io
from decimal import Decimal
from uuid import uuid4

import pytest
from PIL import Image

from tests.journeys.people import AppCustomer, StaffMember, eventually
from tests.journeys.site import Site

pytestmark = pytest.mark.xdist_group("site")


def picture() -> bytes:
    image = io.BytesIO()
    Image.new("RGB", (640, 400), (90, 120, 160)).save(image, "JPEG")
    return image.getvalue()


def test_a_customer_goes_from_sign_up_to_a_completed_withdrawal(site: Site) -> None:
    carol = StaffMember(site, "carol")
    erin = AppCustomer(site, f"erin-{uuid4().hex[:8]}@example.com")
    become_a_customer(erin, carol)
    prove_identity(erin, carol)
    add_second_factor(erin)
    deposit(erin, site)
    trade(erin)
    withdraw(erin, carol)
    assert site.trial_balance() == {}


def become_a_customer(erin: AppCustomer, carol: StaffMember) -> None:
    erin.sign_up()
    assert erin.get("me/", expect=401)["code"] == "not_authenticated"
    erin.verify_mail(carol.code_mailed_to(erin.email))
    assert erin.get("me/")["tier"] == 0


def prove_identity(erin: AppCustomer, carol: StaffMember) -> None:
    refusal = erin.post("orders/", limit_buy("1000", "0.01"), expect=403)
    assert refusal["code"] == "tier_too_low"
    erin.post(
        "kyc/",
        {
            "legal_name": "Erin Exempel",
            "birth_date": "1990-04-05",
            "country": "DE",
            "address": "Weg 1, 10115 Berlin",
        },
        expect=200,
    )
    erin.upload("kyc/documents/", {"kind": "IDENTITY"}, "passport.jpg", picture())
    erin.upload("kyc/documents/", {"kind": "ADDRESS"}, "bill.jpg", picture())
    case = erin.post("kyc/submit/", {}, expect=200)
    assert case["status"] == "SUBMITTED"
    carol.approve_identity(erin.email)
    assert erin.get("me/")["tier"] == 1


def add_second_factor(erin: AppCustomer) -> None:
    """Early, so that the money comes in while the code that added it is still the newest."""
    asked = {**withdrawal_of_200(erin), "code": "000000"}
    assert erin.post("withdrawals/", asked, expect=403)["code"] == "second_factor_missing"
    erin.activate_totp()


def withdrawal_of_200(erin: AppCustomer) -> dict[str, str]:
    return {
        "asset": "USDT",
        "network": "TRX",
        "address": "TJ6Piuaw35M4PM54CzWFqzEPP998yXydc6",
        "amount": "200",
        "fee": erin.get("withdrawals/quote/?asset=USDT&network=TRX&amount=200")["fee"],
        "nonce": uuid4().hex,
    }


def deposit(erin: AppCustomer, site: Site) -> None:
    address = erin.post("deposit-address/", {"asset": "USDT", "network": "TRX"}, expect=200)
    site.paper_deposit("USDT", "TRX", "5000", address["address"], address["tag"])
    eventually(lambda: erin.available("USDT") == 5000, what="the deposit to be credited")
    assert [row["status"] for row in erin.rows("deposits/")] == ["CREDITED"]


def trade(erin: AppCustomer) -> None:
    order = erin.place({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quote_quantity": "1000"})
    done = eventually(lambda: erin.order_if(order["id"], "FILLED"), what="the market order to fill")
    fills = [fill for fill in erin.rows("fills/") if fill["order"] == order["id"]]
    bought = sum(Decimal(fill["quantity"]) - Decimal(fill["fee"]) for fill in fills)
    paid = sum(Decimal(fill["quote_quantity"]) for fill in fills)
    assert Decimal(done["cumulative_quote"]) == paid <= 1000
    assert erin.available("BTC") == bought > 0
    assert erin.available("USDT") == 5000 - paid

    resting = erin.place(limit_buy("20000", "0.01"))
    eventually(lambda: erin.order_if(resting["id"], "OPEN"), what="the limit order to rest")
    assert erin.balance("USDT")["held"] == "200"
    erin.delete(f"orders/{resting['id']}/")
    eventually(lambda: erin.order_if(resting["id"], "CANCELED"), what="the limit order to be canceled")
    assert erin.balance("USDT")["held"] == "0"


def withdraw(erin: AppCustomer, carol: StaffMember) -> None:
    before, request = erin.available("USDT"), withdrawal_of_200(erin)
    assert erin.post("withdrawals/", {**request, "code": "000000"}, expect=400)["field"] == "code"
    asked = erin.post("withdrawals/", {**request, "code": erin.next_code()}, expect=201)
    assert erin.balance("USDT") == {
        "asset": "USDT",
        "available": f"{before - 200:f}".rstrip("0"),
        "held": "200",
    }
    token = carol.confirmation_mailed_to(erin.email).partition("token=")[2]
    assert erin.post(f"withdrawals/{asked['id']}/confirm/", {"token": "x"}, expect=400)["field"] == "token"
    erin.post(f"withdrawals/{asked['id']}/confirm/", {"token": token}, expect=200)
    carol.approve_withdrawal(asked["id"])
    done = eventually(lambda: erin.withdrawal_if(asked["id"], "COMPLETED"), what="the withdrawal to complete")
    assert done["tx_id"] and erin.balance("USDT")["held"] == "0"
    assert erin.available("USDT") == before - 200


def limit_buy(price: str, quantity: str) -> dict[str, str]:
    return {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "time_in_force": "GTC",
        "price": price,
        "quantity": quantity,
    }
