"""Where django-allauth asks the house: mails become rows, second-factor secrets are encrypted at rest."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.core.mail import EmailMessage

from accounts import secrets
from exchange.office import services as office


class AccountAdapter(DefaultAccountAdapter):
    def send_mail(self, template_prefix: str, email: str, context: dict[str, object]) -> None:
        """Keep the mail as a row, in the transaction of the act it tells about."""
        message: EmailMessage = self.render_mail(template_prefix, email, context)
        user = context.get("user")
        office.mail(
            to=email,
            kind=template_prefix.rsplit("/", 1)[-1],
            subject=message.subject,
            body=str(message.body),
            user=user if getattr(user, "pk", None) else None,
        )


class MFAAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return secrets.encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return secrets.decrypt(encrypted_text.encode()).decode()
