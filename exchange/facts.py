"""What hardly ever changes is asked for once a moment in each process, and not for every order.

For facts whose change may count a moment later: FACTS_SECONDS. Nothing that guards money is read this way: balances,
holds, nonces and the switches of staff are read where they count.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.conf import settings

P = ParamSpec("P")
R = TypeVar("R")
MOST = 10_000  # questions that are remembered; beyond it all are forgotten


def for_a_moment(ask: Callable[P, R]) -> Callable[P, R]:
    """The answer is kept for FACTS_SECONDS; None and errors are not. Arguments are hashable, answers only read."""
    known: dict[object, tuple[float, R]] = {}

    @wraps(ask)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        question = (args, tuple(kwargs.items()))
        now = time.monotonic()
        found = known.get(question)
        if found is not None and now < found[0]:
            return found[1]
        answer = ask(*args, **kwargs)
        if answer is not None and settings.FACTS_SECONDS:
            if len(known) >= MOST:
                known.clear()
            known[question] = (now + settings.FACTS_SECONDS, answer)
        return answer

    return asked
