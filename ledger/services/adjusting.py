"""Corrections by hand: asked with a category and a reason, booked when a second person grants them."""

from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import queries as people
from accounts.models import User
from exchange.gate import services as gate
from exchange.money import decimals, plain
from exchange.office.models import Approval
from ledger.errors import AmountOffStep, CaseMissing, SameAccount, UnknownAsset, UnknownCustomer
from ledger.models import Account
from ledger.services.approved import ask_posting
from ledger.services.posting import Line, available, system
from markets.models import Asset

CUSTOMER = "CUSTOMER"
CATEGORIES: dict[str, Promise] = {
    "correction": _("correction of an error"),
    "goodwill": _("goodwill to a customer"),
    "funding": _("capital paid in"),
    "move": _("moved between our accounts at the venue"),
    "drawing": _("capital taken out"),
    "airdrop": _("gift of the venue"),
    "conversion": _("dust converted at the venue"),
    "commission": _("venue commission"),
    "network fee": _("network fee"),
    "suspense": _("suspense cleared up"),
    "write-off": _("written off"),
}
# Every account of the house, and any one customer's.
SIDES: dict[str, Promise | str] = {
    CUSTOMER: _("the customer, available"),
    **{kind.value: kind.label for kind in Account.Type if kind != Account.Type.USER},
}


def sides() -> list[tuple[str, Promise | str]]:
    """The same with our other accounts at the venue."""
    return [
        *SIDES.items(),
        *((f"{Account.Type.VENUE} {name}", f"VENUE {name}") for name in gate.other_accounts()),
    ]


def ask_adjustment(
    *,
    asset: str,
    source: str,
    target: str,
    amount: Decimal,
    category: str,
    reason: str,
    by: User,
    customer: str = "",
    case: str = "",
) -> Approval:
    """A second person is asked to let the amount leave one account and reach the other.

    Refuses an unknown asset, an amount finer than its scale, one account twice, and a customer without a case.
    """
    found = Asset.objects.filter(code=asset).first()
    if found is None:
        raise UnknownAsset(field="asset")
    if decimals(amount) > found.scale:
        raise AmountOffStep(field="amount", step=plain(Decimal(1).scaleb(-found.scale)))
    if source == target:
        raise SameAccount(field="target")
    user_id = _customer(customer, case) if CUSTOMER in (source, target) else None
    lines = [_line(source, asset, -amount, user_id), _line(target, asset, amount, user_id)]
    detail: dict[str, object] = {"case": case, "customer": customer} if user_id else {}
    return ask_posting(category=category, lines=lines, reason=reason, by=by, detail=detail)


def _customer(email: str, case: str) -> int:
    found = people.find_by_email(email.strip())
    if found is None:
        raise UnknownCustomer(field="customer")
    if not case.strip():
        raise CaseMissing(field="case")
    return found.pk


def _line(side: str, asset: str, amount: Decimal, user_id: int | None) -> Line:
    if side == CUSTOMER:
        assert user_id is not None
        return available(user_id, asset, amount)
    kind, _space, name = side.partition(" ")
    account = gate.account_named(name).pk if kind == Account.Type.VENUE else None
    return system(Account.Type(kind), asset, amount, account)
