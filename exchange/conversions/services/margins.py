"""What the house keeps for bearing the move, by pair: begun and ended by staff, on record."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from exchange.conversions.errors import AlreadyEnded
from exchange.conversions.models import MarginRule
from exchange.errors import Conflict
from exchange.office import services as office


@transaction.atomic
def begin_margin(*, from_asset: str | None, to_asset: str | None, bps: int, by: Any) -> MarginRule:
    """From the next quote on it counts for the pair; refuses a second one for the same pair."""
    try:
        with transaction.atomic():
            rule = MarginRule.objects.create(from_asset_id=from_asset, to_asset_id=to_asset, bps=bps)
    except IntegrityError as error:
        raise Conflict(_("There is a margin for exactly this pair; end it first.")) from error
    office.record(by, "margin.begun", "margin", rule.pk, after=_told(rule))
    return rule


@transaction.atomic
def end_margin(*, rule_id: int, by: Any) -> None:
    """No quote made from now on has it; those that stand keep it."""
    rule = MarginRule.objects.select_for_update().get(pk=rule_id)
    if rule.ended_at is not None:
        raise AlreadyEnded()
    rule.ended_at = timezone.now()
    rule.save(update_fields=["ended_at"])
    office.record(by, "margin.ended", "margin", rule.pk, before=_told(rule))


def _told(rule: MarginRule) -> dict[str, object]:
    return {"from": rule.from_asset_id or "", "to": rule.to_asset_id or "", "bps": rule.bps}
