"""Signatures over what a customer asked for and confirmed, by keys derived from SECRET_KEY.

Whoever can write the database but does not know the key cannot confirm a withdrawal, nor change a confirmed one
unnoticed. Keys of SECRET_KEY_FALLBACKS still count.
"""

import json
import secrets

from django.core.signing import BadSignature, Signer

from exchange.money import plain
from ledger.models import Withdrawal

_ASKED, _CONFIRMED = Signer(salt="ledger.withdrawal.asked"), Signer(salt="ledger.withdrawal.confirmed")


def new_token() -> str:
    """A token for one mail; 256 random bits."""
    return secrets.token_urlsafe(32)


def digest_of(withdrawal: Withdrawal, token: str) -> str:
    """What is kept of a token: it opens this withdrawal alone, and only as it is now."""
    return _ASKED.signature(_facts(withdrawal, token))


def is_token(withdrawal: Withdrawal, token: str) -> bool:
    return bool(token) and _is_signed(_ASKED, _facts(withdrawal, token), withdrawal.token_digest)


def seal_of(withdrawal: Withdrawal) -> str:
    """The signature under what was confirmed."""
    return _CONFIRMED.signature(_facts(withdrawal, withdrawal.needs))


def is_sealed(withdrawal: Withdrawal) -> bool:
    """True when the row still says what was confirmed."""
    return _is_signed(_CONFIRMED, _facts(withdrawal, withdrawal.needs), withdrawal.seal)


def _is_signed(signer: Signer, facts: str, signature: str) -> bool:
    try:
        signer.unsign(f"{facts}:{signature}")
    except BadSignature:
        return False
    return True


def _facts(row: Withdrawal, more: object) -> str:
    where = [row.asset_id, row.network.code, row.address, row.tag]
    return json.dumps([row.pk, row.client_id, row.user_id, *where, plain(row.amount), plain(row.fee), more])
