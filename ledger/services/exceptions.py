"""What the books could only book to suspense or slippage, or what differs from the venue, is put before staff."""

from decimal import Decimal

from ledger.models import LedgerException


def note_exception(
    *, source: str, key: str, asset: str | None, amount: Decimal | None, detail: dict[str, object]
) -> LedgerException:
    """The difference is on record once, and waits for a person; joins the caller's transaction."""
    return LedgerException.objects.get_or_create(
        key=key,
        defaults={"source": source, "asset_id": asset, "amount": amount, "detail": detail},
    )[0]
