"""The frame of the platform and the one door to the outside world."""

import decimal

# Amounts have up to 38 digits; Python's default of 28 would round their sums. New threads copy the default.
decimal.DefaultContext.prec = 80
decimal.setcontext(decimal.Context(prec=80))
