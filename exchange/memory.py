"""How often Python looks for cycles of garbage in a process that serves for days.

Its usual thresholds are for scripts: a web process makes thousands of objects for each order, which are gone by
counting references, and the modules it once loaded are looked through again and again.
"""

import gc

# Objects more than were let go before the youngest are looked through, and rounds before the older ones are.
SELDOM = (50_000, 20, 50)


def collect_seldom() -> None:
    """What is loaded by now is never looked through again; to be called once, when all is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
