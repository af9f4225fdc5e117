"""Pages on which people prove who they are, and look after their account."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import queries, services
from accounts.forms import DocumentForm, PersonalForm, PreferencesForm, TokenForm
from accounts.models import KycCase, KycDocument
from accounts.rules import browser_name
from exchange.errors import DomainError
from exchange.office import services as office
from exchange.pages import CustomerRequest, client_address, private_download, refuse

PAGE_SIZE = 20
YEAR = 365 * 24 * 3600


# ------------------------------------------------------------------ identity
@login_required
@require_GET
def verify(request: CustomerRequest) -> HttpResponse:
    """Where the customer stands; a draft goes on with its first open step."""
    case = queries.latest_case(request.user)
    if request.user.is_verified or (case and case.status == KycCase.Status.SUBMITTED):
        return render(request, "accounts/verify_status.html", {"case": case})
    if case and case.status == KycCase.Status.REFUSED and "again" not in request.GET:
        return render(request, "accounts/verify_status.html", {"case": case})
    if not case or case.status != KycCase.Status.DRAFT or not case.legal_name:
        return redirect("verify_personal")
    return redirect("verify_documents" if queries.missing_kinds(case) else "verify_submit")


@login_required
@require_http_methods(["GET", "POST"])
def verify_personal(request: CustomerRequest) -> HttpResponse:
    case = queries.open_case(request.user)
    if closed := closed_wizard(request, case):
        return closed
    known = ("legal_name", "birth_date", "country", "address")
    before = case or queries.latest_case(request.user)
    form = PersonalForm(request.POST or None, initial={name: getattr(before, name, "") for name in known})
    if request.method == "POST" and form.is_valid():
        try:
            services.fill_case(request.user, **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            return redirect("verify_documents")
    return render(
        request,
        "accounts/verify_personal.html",
        {"form": form, "step": 1},
        status=400 if form.errors else 200,
    )


@login_required
@require_http_methods(["GET", "POST"])
def verify_documents(request: CustomerRequest) -> HttpResponse:
    case = queries.open_case(request.user)
    if closed := closed_wizard(request, case):
        return closed
    if case is None or not case.legal_name:
        return redirect("verify_personal")
    missing = queries.missing_kinds(case)
    form = DocumentForm(
        request.POST or None, request.FILES or None, initial={"kind": missing[0] if missing else None}
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.add_document(
                request.user, kind=form.cleaned_data["kind"], content=form.cleaned_data["file"].read()
            )
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, _("The file is kept, encrypted."))
            return redirect("verify_documents")
    context = {"form": form, "step": 2, "documents": case.documents.order_by("id"), "missing": missing}
    return render(request, "accounts/verify_documents.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def remove_document(request: CustomerRequest, document_id: int) -> HttpResponse:
    services.remove_document(request.user, document_id)
    return redirect("verify_documents")


@login_required
@require_http_methods(["GET", "POST"])
def verify_submit(request: CustomerRequest) -> HttpResponse:
    case = queries.open_case(request.user)
    if closed := closed_wizard(request, case):
        return closed
    if case is None or not case.legal_name or queries.missing_kinds(case):
        return redirect("verify")
    if request.method == "POST":
        services.submit_case(request.user)
        messages.success(request, _("Your case is with our staff now."))
        return redirect("verify")
    context = {"case": case, "documents": case.documents.order_by("id"), "step": 3}
    return render(request, "accounts/verify_submit.html", context)


def closed_wizard(request: CustomerRequest, case: KycCase | None) -> HttpResponse | None:
    """Back to the status page when there is nothing to fill in."""
    if request.user.is_verified or (case and case.status == KycCase.Status.SUBMITTED):
        return redirect("verify")
    return None


@login_required
@require_GET
@never_cache
def document(request: CustomerRequest, document_id: int) -> HttpResponse:
    found, content = services.read_document(document_id, by=request.user, address=client_address(request))
    name = f"{KycDocument.Kind(found.kind).lower()}-{found.pk}"
    return private_download(content, found.content_type, name)


# ------------------------------------------------------------------ security
def security_context(request: CustomerRequest) -> dict[str, Any]:
    sessions = queries.sessions_of(request.user)
    return {
        "has_second_factor": queries.has_second_factor(request.user),
        "sessions": [(session, browser_name(session.user_agent)) for session in sessions],
        "tokens": queries.live_tokens(request.user),
        "activity": [
            (record, browser_name(str(record.after.get("agent", ""))))
            for record in queries.activity_of(request.user)
        ],
    }


@login_required
@require_GET
def security(request: CustomerRequest) -> HttpResponse:
    return render(request, "accounts/security.html", security_context(request))


@login_required
@reauthentication_required
@never_cache
@require_http_methods(["GET", "POST"])
def new_token(request: CustomerRequest) -> HttpResponse:
    """A token is made only by somebody who has just shown a password or a code again."""
    form = TokenForm(request.POST or None)
    context: dict[str, object] = {"form": form}
    if request.method == "POST" and form.is_valid():
        try:
            token, secret = services.issue_token(request.user, **form.cleaned_data)
        except DomainError as error:
            refuse(form, error)
        else:
            context |= {"token": token, "secret": secret}
    return render(request, "accounts/token.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def revoke_token(request: CustomerRequest, token_id: int) -> HttpResponse:
    services.revoke_token(request.user, token_id)
    messages.success(request, _("The token is revoked."))
    return redirect("security")


# ------------------------------------------------------------------ notices and preferences
@login_required
@require_http_methods(["GET", "POST"])
def notices(request: CustomerRequest) -> HttpResponse:
    if request.method == "POST":
        office.mark_read(request.user)
        return redirect("notices")
    page = Paginator(queries.notices_of(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(
        request, "accounts/notices.html", {"page": page, "unread": queries.unread_notices(request.user)}
    )


@login_required
@require_http_methods(["GET", "POST"])
def preferences(request: CustomerRequest) -> HttpResponse:
    now = {
        "language": request.user.language or request.LANGUAGE_CODE,
        "theme": request.COOKIES.get("theme", request.user.theme),
    }
    form = PreferencesForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        services.set_preferences(request.user, **form.cleaned_data)
        response = redirect("preferences")
        cookies = {
            settings.LANGUAGE_COOKIE_NAME: form.cleaned_data["language"],
            "theme": form.cleaned_data["theme"],
        }
        for name, value in cookies.items():
            response.set_cookie(name, value, max_age=YEAR, samesite="Lax", secure=settings.SECURE_TLS)
        messages.success(request, _("Saved."))
        return response
    return render(request, "accounts/preferences.html", {"form": form}, status=400 if form.errors else 200)
