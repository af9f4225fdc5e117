"""`manage.py venue_account [NAME …]`: our accounts at the venue, their keys and their ways.

A key is read from a file or from what is typed or piped in, never from the command line, which others can see: the API
key on the first line; then the secret, or an Ed25519 private key (PEM).
"""

import sys
from argparse import ArgumentParser
from getpass import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.errors import DomainError
from exchange.gate import accounts, keys, vault
from exchange.gate.models import VenueAccount


class Command(BaseCommand):
    help = "List the venue accounts, add one, or change its key, its proxy, and whether it takes orders."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="the account; without it all are listed")
        parser.add_argument("--add", action="store_true", help="a new account, which takes no orders yet")
        parser.add_argument("--key", action="store_true", help="its key, from what is typed or piped in")
        parser.add_argument("--key-file", type=Path, help="its key, from a file")
        parser.add_argument("--proxy", help='http://host:port by which it is asked; "" for none')
        parser.add_argument("--enable", action="store_true", help="it takes new orders")
        parser.add_argument("--disable", action="store_true", help="it takes no new orders")
        parser.add_argument("--reason", default="", help="kept on record")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["name"]:
                self._change(options["name"], options)
            self._list()
        except DomainError as error:
            raise CommandError(str(error), returncode=2) from error

    def _change(self, name: str, options: dict[str, Any]) -> None:
        reason = options["reason"]
        if options["add"]:
            accounts.add_account(name, reason=reason)
        account = VenueAccount.objects.filter(name=name).first()
        if account is None:
            raise CommandError(f"there is no account {name!r}; --add makes one", returncode=2)
        if options["key"] or options["key_file"]:
            api_key, secret = _read(options["key_file"])
            keys.set_key(account.pk, api_key=api_key, secret=secret, reason=reason)
        if options["proxy"] is not None:
            accounts.set_proxy(account.pk, proxy=options["proxy"], reason=reason)
        if options["enable"]:
            accounts.enable_account(account.pk, reason=reason)
        if options["disable"]:
            accounts.disable_account(account.pk, reason=reason)

    def _list(self) -> None:
        for row in VenueAccount.objects.select_related("sealed_key").order_by("id"):
            sealed = getattr(row, "sealed_key", None)
            key = f"{sealed.fingerprint}, sealed under {sealed.sealed_under}" if sealed else _unsealed(row)
            takes = "takes orders" if row.is_enabled else "takes no orders"
            words = f"{row.name}: {takes}; key {key}; {row.key_state.lower()} {row.key_reason}".rstrip()
            self.stdout.write(f"{words}; by {row.proxy or 'no proxy'}")
        self.stdout.write(f"sealed now under: {vault.newest() or 'nothing; VENUE_KEYS_SECRET is missing'}")


def _unsealed(row: VenueAccount) -> str:
    found = keys.key_of(row)
    return f"{keys.fingerprint_of(found.api_key)}, of the settings" if found else "none"


def _read(file: Path | None) -> tuple[str, str]:
    """The API key and what belongs to it."""
    try:
        if file is None and sys.stdin.isatty():
            return getpass("API key: "), getpass("Secret: ")
        text = sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CommandError(f"the key cannot be read: {type(error).__name__}", returncode=2) from error
    api_key, _line, secret = text.strip().partition("\n")
    return api_key, secret
