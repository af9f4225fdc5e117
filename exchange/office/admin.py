"""Staff read what is on record, and decide requests of others."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from exchange.office import services
from exchange.office.decision import Decision, DecisionAdmin, ReadOnly
from exchange.office.models import Approval, AuditRecord, Notice


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnly):
    list_display = ("at", "actor", "action", "subject_type", "subject_id", "reason", "address")
    list_filter = ("action", "subject_type")
    search_fields = ("subject_id", "actor__email", "action", "reason")
    list_select_related = ("actor",)
    date_hierarchy = "at"


def send_again(notice_id: int, *, by: Any, reason: str) -> None:
    services.send_again(notice_id, by=by)


@admin.register(Notice)
class NoticeAdmin(DecisionAdmin):
    list_display = ("created_at", "to", "user", "channel", "kind", "subject", "status", "attempts")
    list_filter = ("status", "channel", "kind")
    search_fields = ("to", "user__email", "subject", "kind")
    list_select_related = ("user",)
    exclude = ("body",)
    readonly_fields = ("text",)
    again = Decision("again", _("Send again"), decide=send_again, permission="office.change_notice")

    @admin.display(description=_("Text"))
    def text(self, notice: Notice) -> str:
        if notice.is_for_its_receiver_alone:
            return str(_("Not shown: it carries a code or a link that is for its receiver alone."))
        return format_html('<pre class="notice-text">\n{}</pre>', notice.body)

    def all_decisions(self) -> list[Decision]:
        return [self.again]

    def decisions_for(self, notice: Notice) -> list[Decision]:
        return [self.again] if notice.status == Notice.Status.FAILED else []


def grant(approval_id: int, *, by: Any, reason: str) -> None:
    services.grant(approval_id, by=by, reason=reason)


def refuse(approval_id: int, *, by: Any, reason: str) -> None:
    services.refuse(approval_id, by=by, reason=reason)


@admin.register(Approval)
class ApprovalAdmin(DecisionAdmin):
    list_display = ("id", "kind", "status", "asked_by", "asked_at", "decided_by", "decided_at")
    list_filter = ("status", "kind")
    search_fields = ("kind", "reason", "asked_by__email")
    list_select_related = ("asked_by", "decided_by")
    grant = Decision("grant", _("Grant"), decide=grant, permission="office.change_approval")
    refuse = Decision(
        "refuse", _("Refuse"), decide=refuse, permission="office.change_approval", is_grave=True
    )

    def all_decisions(self) -> list[Decision]:
        return [self.grant, self.refuse]

    def decisions_for(self, approval: Approval) -> list[Decision]:
        return self.all_decisions() if approval.status == Approval.Status.ASKED else []
