"""What processes do at the same moment to the same money; see `tests.race`."""

from decimal import Decimal
from time import sleep

from django.test import override_settings

from accounts.errors import TooManyCodes
from accounts.models import User
from exchange.database import transaction_with_retry
from exchange.errors import Unavailable
from ledger import services as ledger
from ledger.errors import InsufficientFunds, OverDayLimit
from ledger.models import Account, Transfer
from ledger.services.posting import Line, available, system
from tests.race import Runner

ORDER, WITHDRAWAL = ledger.Cause.ORDER, ledger.Cause.WITHDRAWAL


def hold(user: int, cause: ledger.Cause, cause_id: int, amount: int) -> bool:
    try:
        ledger.hold(user_id=user, asset="USDT", amount=Decimal(amount), cause=cause, cause_id=cause_id)
    except InsufficientFunds:
        return False
    return True


def last_coin(runner: Runner) -> bool:
    """Everybody wants the one coin there is."""
    return hold(runner.facts["user"], ORDER, runner.number + 1, 1)


def order_against_withdrawal(runner: Runner) -> list[bool]:
    """Pairs of processes, a customer each: one places an order for all there is, the other withdraws it."""
    user, cause = runner.facts["users"][runner.number // 2], WITHDRAWAL if runner.number % 2 else ORDER
    won = []
    for number in range(runner.facts["rounds"]):
        cause_id = runner.number // 2 * 10**6 + number + 1
        runner.wait()
        won.append(hold(user, cause, cause_id, 10))
        runner.wait()
        if won[-1]:
            ledger.release(cause=cause, cause_id=cause_id)
    return won


def transfers_in_opposite_directions(runner: Runner) -> None:
    """Half pay from the first customer to the second, half back, in assets neither of them had before."""
    payer, payee = runner.facts["users"][:: 1 if runner.number % 2 else -1]
    for asset in runner.facts["assets"]:
        runner.wait()
        gift = [available(user, asset, Decimal(100)) for user in (payer, payee)]
        pay(f"{runner.number}:{asset}", *gift, available(runner.facts["bank"], asset, Decimal(-200)))
        for time in range(runner.facts["times"]):
            lines = [available(payer, asset, Decimal(-1)), available(payee, asset, Decimal(1))]
            pay(f"{runner.number}:{asset}:{time}", *lines)


def pay(key: str, *lines: Line) -> None:
    ledger.post(scope="race", key=key, kind=Transfer.Kind.FILL, lines=lines)


def a_true_deadlock(runner: Runner) -> int:
    """Two transactions post for two customers in opposite order, and each waits for the other: one must start again."""
    first, second = runner.facts["users"][:: 1 if runner.number else -1]
    tries = []

    @transaction_with_retry
    def both() -> None:
        tries.append(1)
        charge(f"{runner.number}:first", first)
        if len(tries) == 1:
            runner.wait()
        charge(f"{runner.number}:second", second)

    both()
    return len(tries)


def charge(key: str, user: int) -> None:
    pay(key, available(user, "USDT", Decimal(-1)), system(Account.Type.FEES, "USDT", Decimal(1)))


def one_release(runner: Runner) -> str:
    """Everybody gives back the same hold."""
    return str(ledger.release(cause=ORDER, cause_id=1).normalize())


def one_key(runner: Runner) -> list[int | bool]:
    """Everybody books the same deposit."""
    posted = ledger.post(
        scope="race",
        key="one",
        kind=Transfer.Kind.FILL,
        lines=[
            available(runner.facts["user"], "USDT", Decimal(-1)),
            available(runner.facts["other"], "USDT", Decimal(1)),
        ],
    )
    return [posted.transfer_id, posted.is_new]


def one_confirmation(runner: Runner) -> int:
    """Everybody confirms another withdrawal of the same customer; gives how many people must approve it."""
    user = User.objects.get(pk=runner.facts["user"])
    number, token = runner.facts["tokens"][runner.number]
    with override_settings(WITHDRAWAL_TWO_PEOPLE_ABOVE=Decimal(runner.facts["most"])):
        return ledger.confirm_withdrawal(withdrawal_id=number, user=user, token=token).needs


TAKEN, OVER, BUSY = "taken", "over the limit", "busy"
ASK_AGAIN = 0.25  # seconds; fifty who ask again at once leave no time to the few who may be answered


def two_requests(runner: Runner) -> list[str]:
    """Everybody asks twice for 25 USDT of the same customer, with a code each; gives all answers."""
    facts = runner.facts
    user = User.objects.get(pk=facts["user"])
    changes = {
        "WITHDRAWAL_DAY_LIMITS": [Decimal(0), Decimal(facts["most"])],
        "MFA_RECOVERY_CODE_COUNT": len(facts["codes"]),
    }
    with override_settings(**changes):
        return [
            answer
            for number in (2 * runner.number, 2 * runner.number + 1)
            for answer in answers_to(user, facts["address"], facts["codes"][number], f"n{number}")
        ]


def answers_to(user: User, address: str, code: str, nonce: str) -> list[str]:
    """Asks until the answer is about the limit: so many codes at once are too many tries, and who is busy says so."""
    busy: list[str] = []
    while True:
        try:
            ledger.request_withdrawal(
                user=user, asset="USDT", network="TRX", address=address, tag="", amount=Decimal(25), fee=Decimal(1),
                code=code, nonce=nonce,
            )  # fmt: skip
        except TooManyCodes:
            sleep(ASK_AGAIN)
            continue
        except OverDayLimit:
            return [*busy, OVER]
        except Unavailable:
            busy.append(BUSY)
            continue
        return [*busy, TAKEN]
