"""What base.html asks about the page being shown: theme, place, the rest of the address."""

from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()
THEMES = ("system", "light", "dark")
THEME_COOKIE = "theme"


def request_of(context: dict[str, Any]) -> HttpRequest | None:
    """The request, or None where Django renders an error page without one."""
    request = context.get("request")
    return request if isinstance(request, HttpRequest) else None


@register.simple_tag(takes_context=True)
def theme(context: dict[str, Any]) -> str:
    """The chosen theme: this browser's cookie, else the customer's setting, else the system's."""
    request = request_of(context)
    if request is None:
        return "system"
    chosen = request.COOKIES.get(THEME_COOKIE, "") or getattr(getattr(request, "user", None), "theme", "")
    return chosen if chosen in THEMES else "system"


@register.simple_tag(takes_context=True)
def current(context: dict[str, Any], *prefixes: str) -> SafeString:
    """The mark of the navigation's entry whose part of the site is shown."""
    request = request_of(context)
    if request is None or not request.path.startswith(prefixes):
        return SafeString("")
    return format_html(' aria-current="{}"', "page" if request.path in prefixes else "true")


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any]) -> str:
    """The address of this page, for forms that come back to it."""
    request = request_of(context)
    return request.get_full_path() if request and request.method == "GET" else "/"


@register.simple_tag(takes_context=True)
def query(context: dict[str, Any], **changes: object) -> str:
    """This page's query string with some of its values replaced; None or an empty text removes one."""
    request = request_of(context)
    values = request.GET.dict() if request else {}
    values |= {name: str(value) for name, value in changes.items() if value not in (None, "")}
    kept = {
        name: value
        for name, value in values.items()
        if name not in changes or changes[name] not in (None, "")
    }
    return f"?{urlencode(kept)}" if kept else "?"
