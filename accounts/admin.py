"""Staff look at customers, decide cases of identity, freeze and unfreeze."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import queries, services
from accounts.models import ApiToken, KycCase, User
from exchange.office import queries as office
from exchange.office.decision import Decision, DecisionAdmin, ReadOnly


def freeze(user_id: int, *, by: User, reason: str) -> None:
    services.freeze(user_id, reason, by)


def unfreeze(user_id: int, *, by: User, reason: str) -> None:
    services.unfreeze(user_id, reason, by)


def unlock(user_id: int, *, by: User, reason: str) -> None:
    services.unlock(user_id, reason, by)


@admin.register(User)
class UserAdmin(DecisionAdmin):
    list_display = (
        "email",
        "name",
        "tier",
        "is_frozen",
        "locked_at",
        "is_active",
        "is_staff",
        "date_joined",
        "last_login",
    )
    list_filter = ("tier", "is_frozen", ("locked_at", admin.EmptyFieldListFilter), "is_active", "is_staff")
    search_fields = ("email", "name", "kyc_cases__legal_name")
    exclude = ("password", "user_permissions")
    change_form_template = "admin/accounts/user/change_form.html"
    freeze = Decision("freeze", _("Freeze"), decide=freeze, permission="accounts.change_user", is_grave=True)
    unfreeze = Decision("unfreeze", _("Unfreeze"), decide=unfreeze, permission="accounts.change_user")
    unlock = Decision("unlock", _("Unlock"), decide=unlock, permission="accounts.change_user")

    def all_decisions(self) -> list[Decision]:
        return [self.freeze, self.unfreeze, self.unlock]

    def decisions_for(self, user: User) -> list[Decision]:
        found = [self.unfreeze if user.is_frozen else self.freeze]
        return [*found, self.unlock] if user.is_locked else found

    def context_of(self, request: HttpRequest, user: User) -> dict[str, object]:
        return {
            "has_second_factor": queries.has_second_factor(user),
            "cases": user.kyc_cases.all(),
            "tokens": queries.live_tokens(user),
            "sessions": UserSession.objects.filter(user=user).order_by("-last_seen_at")[:10],
            "history": office.history_of("user", user.pk)[:20],
        }


@admin.register(KycCase)
class KycCaseAdmin(DecisionAdmin):
    list_display = (
        "id",
        "user",
        "legal_name",
        "country",
        "status",
        "submitted_at",
        "decided_by",
        "decided_at",
    )
    list_filter = ("status", "country")
    search_fields = ("user__email", "legal_name")
    list_select_related = ("user", "decided_by")
    change_form_template = "admin/accounts/kyccase/change_form.html"
    approve = Decision(
        "approve", _("Approve"), decide=services.approve_case, permission="accounts.change_kyccase"
    )
    refuse = Decision(
        "refuse",
        _("Refuse"),
        decide=services.refuse_case,
        permission="accounts.change_kyccase",
        is_grave=True,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[KycCase]:
        return super().get_queryset(request).prefetch_related("documents")

    def all_decisions(self) -> list[Decision]:
        return [self.approve, self.refuse]

    def decisions_for(self, case: KycCase) -> list[Decision]:
        return self.all_decisions() if case.status == KycCase.Status.SUBMITTED else []

    def context_of(self, request: HttpRequest, case: KycCase) -> dict[str, object]:
        documents = case.documents.all() if services.may_see_documents(request.user) else []
        return {"documents": documents, "history": office.history_of("kyc_case", case.pk)[:20]}


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly):
    list_display = (
        "prefix",
        "user",
        "name",
        "can_trade",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = ("can_trade",)
    search_fields = ("user__email", "prefix", "name")
    list_select_related = ("user",)
    exclude = ("digest",)


def leave_to_services(*models: Any) -> None:
    """Tables of packages that hold secrets or make rights: not to be edited by hand."""
    for model in models:
        if admin.site.is_registered(model):
            admin.site.unregister(model)


leave_to_services(Authenticator, EmailAddress, UserSession)
