"""Who is old enough, and how a session's browser is called in words."""

import re
from datetime import date

# The house's own customer: an address that nobody can have (RFC 2606), and no password opens it.
HOUSE = "house@conversions.invalid"
ADULT_YEARS = 18
OLDEST_YEARS = 120
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def age_on(day: date, born: date) -> int:
    """Full years lived on the day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def is_plausible_age(day: date, born: date) -> bool:
    """True for an adult who can be alive."""
    return ADULT_YEARS <= age_on(day, born) <= OLDEST_YEARS


def browser_name(user_agent: str) -> str:
    """`Firefox, Linux` out of a user agent's text; its first word when nothing is known of it."""
    found = [
        next((name for mark, name in marks if mark in user_agent), "") for marks in (_BROWSERS, _SYSTEMS)
    ]
    known = ", ".join(name for name in found if name)
    return known or (re.split(r"[\s/]", user_agent, maxsplit=1)[0][:40] if user_agent else "")
