"""What the safety devices refuse."""

from django.utils.translation import gettext_lazy as _

from exchange.errors import DomainError


class OutOfBounds(DomainError):
    code = "out_of_bounds"
    message = _("Give %(least)s to %(most)s seconds.")

    def __init__(self, *, least: int, most: int) -> None:
        super().__init__(field="seconds", least=least, most=most)
