"""Parts of the safety devices that pages of other apps show."""

from typing import Any

from django import template

from exchange.errors import OUTAGES
from exchange.safety import queries
from exchange.safety.models import Countdown, Patience
from markets import queries as markets

register = template.Library()


@register.inclusion_tag("safety/_countdowns.html", takes_context=True)
def countdowns(context: dict[str, Any]) -> dict[str, Any]:
    """The customer's dead-man's switches, and the form that arms one."""
    found = list(queries.countdowns_of(context["request"].user))
    return {
        **_shown(context, [one for one in found if one.is_armed]),
        "fired": [one for one in found if not one.is_armed],
        "times": Patience.choices,
        "markets": markets.listed(),
    }


@register.inclusion_tag("safety/_countdown_line.html", takes_context=True)
def countdown_line(context: dict[str, Any]) -> dict[str, Any]:
    """Those that are armed, for a page that renews them; nothing while the database is away."""
    user = context["request"].user
    try:
        armed = [one for one in queries.countdowns_of(user) if one.is_armed] if user.is_authenticated else []
        return _shown(context, armed)
    except OUTAGES:
        return {"armed": []}


def _shown(context: dict[str, Any], armed: list[Countdown]) -> dict[str, Any]:
    shown: dict[str, Any] = {"request": context["request"], "csrf_token": context.get("csrf_token")}
    return {**shown, "armed": armed, "now": queries.now().isoformat() if armed else ""}
