"""Parts of the safety devices that pages of other apps show."""

from typing import Any

from django import template

from markets import queries as markets
from safety import queries
from safety.models import Patience

register = template.Library()


@register.inclusion_tag("safety/_countdowns.html", takes_context=True)
def countdowns(context: dict[str, Any]) -> dict[str, Any]:
    """The customer's dead-man's switches, and the form that arms one."""
    request = context["request"]
    found = list(queries.countdowns_of(request.user))
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "armed": [one for one in found if one.is_armed],
        "fired": [one for one in found if not one.is_armed],
        "now": queries.now(),
        "times": Patience.choices,
        "markets": markets.listed(),
    }
