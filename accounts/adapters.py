"""Where django-allauth asks the house: mails become rows, second-factor secrets are encrypted at rest."""

import segno
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import secrets, services
from accounts.models import User
from accounts.rules import HOUSE
from exchange.office import services as office


class AccountAdapter(DefaultAccountAdapter):
    def send_mail(self, template_prefix: str, email: str, context: dict[str, object]) -> None:
        """Keep the mail as a row, in the transaction of the act it tells about."""
        request = allauth_context.request
        known = {"request": request, "email": email, "current_site": get_current_site(request), **context}
        message = self.render_mail(template_prefix, email, known)
        user = context.get("user")
        office.mail(
            to=email,
            kind=kind_of(template_prefix),
            subject=message.subject,
            body=str(message.body),
            user=user if isinstance(user, User) else None,
        )

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, object] | None = None,
        email: str | None = None,
    ) -> None:
        """A change of the account's security: on record, told by mail and on the site, other sessions ended."""
        super().send_notification_mail(template_prefix, user, {**(context or {}), "user": user}, email)
        session = getattr(allauth_context.request, "session", None)
        services.note_security_change(
            user,
            kind=kind_of(template_prefix),
            address=self.get_client_ip(allauth_context.request),
            session_key=session.session_key if session else None,
        )

    def clean_email(self, email: str) -> str:
        """Nobody is the house's own customer."""
        if email.strip().lower() == HOUSE:
            raise ValidationError(_("Enter an address of your own."))
        return str(super().clean_email(email))

    def format_email_subject(self, subject: str) -> str:
        return f"{settings.SITE_NAME}: {subject}"

    def save_user(self, request: HttpRequest, user: User, form: object, commit: bool = True) -> User:
        user.language = get_language() or ""
        return super().save_user(request, user, form, commit)

    def post_login(self, request: HttpRequest, user: User, **details: object) -> HttpResponse:
        services.note_sign_in(
            user, address=self.get_client_ip(request), agent=self.get_http_user_agent(request)
        )
        response = super().post_login(request, user, **details)
        if user.language:
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME, user.language, secure=settings.SECURE_TLS, samesite="Lax"
            )
        return response


class MFAAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return secrets.encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return secrets.decrypt(encrypted_text.encode()).decode()

    def build_totp_svg(self, url: str) -> str:
        """Drawn as inline SVG, which a strict content policy allows."""
        return segno.make(url, error="m", micro=False).svg_inline(
            omitsize=True, border=2, svgclass="qr", lineclass=None
        )


def kind_of(template_prefix: str) -> str:
    """The notice's kind: the last part of allauth's template name."""
    return template_prefix.rsplit("/", 1)[-1]
