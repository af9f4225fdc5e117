"""What a withdrawal would cost and leave, before it is asked for."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger import rules
from ledger.errors import NoPrice, WithdrawalsClosed
from ledger.models import Network
from ledger.queries.limits import Limits, limits, withdrawable
from ledger.queries.networks import network
from ledger.queries.worth import worth

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True)
class Quote:
    """The figures of one withdrawal; `value` is in the reference asset."""

    route: Network
    amount: Decimal
    fee: Decimal
    value: Decimal
    limits: Limits
    withdrawable: Decimal

    @property
    def net(self) -> Decimal:
        return self.amount - self.fee


def quote(user: "User", asset: str, code: str, amount: Decimal) -> Quote:
    """The fee and what the receiver gets; refuses what the network or the prices do not allow."""
    route = network(asset, code)
    if not route.withdraw_enabled:
        raise WithdrawalsClosed(field="network")
    rules.require_amount(route, amount, route.asset.scale)
    value = worth(asset, amount)
    if value is None:
        raise NoPrice(field="amount", asset=asset)
    left = withdrawable(user.pk, asset)
    return Quote(route, amount, route.withdraw_fee, value, limits(user), left)
