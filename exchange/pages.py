"""What the pages of every app share: amounts as people type them, refusals beside their field or as a page."""

import re
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import structlog
from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from exchange.bridge import CUSTOMER
from exchange.context import site
from exchange.errors import OUTAGES, DomainError, Text, Unavailable
from exchange.money import parse

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User

log = structlog.get_logger()
EXTENSIONS = {"image/jpeg": "jpg", "application/pdf": "pdf"}
_SPACES = re.compile(r"[\s'\u2019]+")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?P<mark>[,.])[0-9]{3}(?:(?P=mark)[0-9]{3})*")


def typed_amount(text: str) -> str:
    """What a person typed or pasted as a plain decimal text; what could mean two numbers is left for refusal."""
    text = _SPACES.sub("", text)
    comma, point = text.rfind(","), text.rfind(".")
    if comma >= 0 and point >= 0:
        thousands, mark = (",", ".") if point > comma else (".", ",")
        return text.replace(thousands, "").replace(mark, ".")
    if comma < 0:
        return text
    if text.count(",") > 1:
        return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text
    return text if _THOUSANDS.fullmatch(text) else text.replace(",", ".")


class CustomerRequest(HttpRequest):
    """A request that only somebody signed in can make."""

    user: "User"


class AmountField(forms.CharField):
    """A positive amount as Decimal; comma or point as the decimal sign, grouping accepted where it is clear."""

    default_error_messages = {
        "bad": _("Enter a plain number such as 1234.5."),
        "zero": _("Enter more than zero."),
    }

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 60)
        super().__init__(**options)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {
            **super().widget_attrs(widget),
            "inputmode": "decimal",
            "autocomplete": "off",
            "spellcheck": "false",
        }

    def clean(self, value: object) -> Decimal | None:
        said = super().clean(value)
        if not said:
            return None
        text = typed_amount(said)
        try:
            amount = parse(text)
        except DomainError as error:
            raise forms.ValidationError(self.error_messages["bad"], code="bad") from error
        if not amount:
            raise forms.ValidationError(self.error_messages["zero"], code="zero")
        return amount


class NonceField(forms.CharField):
    """Hidden in the form: a double click or a reload of the answer repeats the request, and does not make a second."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=64, widget=forms.HiddenInput, initial=new_nonce, **options)


def client_address(request: HttpRequest) -> str:
    """Where the request comes from: behind TRUSTED_PROXIES what the outermost of them saw."""
    return str(get_adapter().get_client_ip(request))


def private_download(content: bytes, content_type: str, name: str) -> HttpResponse:
    """A file somebody handed in, as a download that no browser runs and no cache keeps."""
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}.{EXTENSIONS[content_type]}"'
    response["Cache-Control"] = "no-store, private"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def new_nonce() -> str:
    """A fresh name for one request."""
    return uuid.uuid4().hex


def refuse(form: forms.BaseForm, error: DomainError) -> None:
    """Write the refusal beside its field, or above the form when nobody would see it there."""
    field = form.fields.get(error.field or "")
    is_shown = field is not None and not field.widget.is_hidden
    form.add_error(error.field if is_shown else None, str(error))


class RefusalPages:
    """Middleware: a refusal that no view caught becomes a page with its sentence and status.

    An address with a NUL in it is nobody's: the database knows no such text, and nothing is asked of it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in unquote(request.get_full_path()):
            if is_for_machines(request):
                return told_machines("bad_address", _("There is no such address."), 400)
            raise SuspiciousOperation("NUL in the address")
        answer = self.get_response(request)
        if answer.status_code == 400 and is_for_machines(request) and not answer.content:
            return not_understood(request, None)  # the app's door says nothing to what it cannot read
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, OUTAGES):  # limits on tries cannot be looked up: nothing may pass unchecked
            return out_of_order(request, error)
        if not isinstance(error, DomainError):
            return None
        return render(request, "refusal.html", {"refusal": error}, status=error.status)


class NamedCustomers:
    """Middleware: what stands before the threads hears whose request it was, if that had to be found out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        user: User | AnonymousUser | None = request.user
        if isinstance(user, SimpleLazyObject):  # nothing is asked for this alone
            user = getattr(request, "_cached_user", None)
        if user is not None and user.is_authenticated:
            request.META[CUSTOMER] = str(user.pk)
        return answer


# ------------------------------------------------------------------ when something is broken
# What is open to all and needs little of the database, or nothing.
OPEN = re.compile(
    r"/(healthz|readyz|metrics|status\.json)?|/(status|markets|trade)/.*|/api/v1/(markets|tickers|time)/.*"
)


class Strangers:
    """Middleware: while sessions cannot be read, whoever looks at what is open to all is a stranger, and may look."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in ("GET", "HEAD") and OPEN.fullmatch(request.path):
            try:
                request.session.get("")
            except OUTAGES:
                request.session = type(request.session)()
                # The cookie is not answered, so that it stays: its owner is known again when the sessions are.
                request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        return self.get_response(request)


def out_of_order(request: HttpRequest, error: BaseException) -> HttpResponse:
    """503 while the database or Redis is away: it asks nobody, not even who is looking."""
    log.error("outage", error=type(error).__name__, path=request.path)
    refusal = Unavailable()
    if is_for_machines(request):
        return told_machines(refusal.code, str(refusal), refusal.status)
    page = render_to_string("refusal.html", {**site(request), "refusal": refusal})
    return HttpResponse(page, status=refusal.status)


def went_wrong(request: HttpRequest) -> HttpResponse:
    """Django's handler of what nobody caught, also in a middleware: an outage is a 503, the rest a 500 of ours."""
    error = sys.exc_info()[1]
    if isinstance(error, OUTAGES):
        return out_of_order(request, error)
    if is_for_machines(request):
        return told_machines("error", _("Something went wrong on our side; it has been recorded."), 500)
    return HttpResponse(render_to_string("500.html", site(request)), status=500)


def not_understood(request: HttpRequest, exception: Exception | None) -> HttpResponse:
    """Django's handler of a request that cannot be read."""
    if is_for_machines(request):
        return told_machines("bad_request", _("This request was not understood."), 400)
    return HttpResponse(render_to_string("400.html", site(request)), status=400)


def told_machines(code: str, sentence: Text, status: int) -> JsonResponse:
    """A refusal in the API's shape."""
    return JsonResponse({"code": code, "message": str(sentence), "field": None}, status=status)


def is_for_machines(request: HttpRequest) -> bool:
    """True below the addresses that answer in JSON."""
    return request.path.startswith(("/api/", "/_allauth/"))
