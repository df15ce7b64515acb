"""``manage.py statement ACCOUNT``: print an account's balance, asked of the pinned bank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

import pinscher
from pinscher.clients.requests import session

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """Ask the bank."""

    help = "Print an account's balance."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the account."""
        parser.add_argument("account")

    def handle(self, *_: Any, account: str, **__: Any) -> None:
        """Print the balance; end with an error where the pins refuse whoever answers."""
        context = pinscher.PinnedContext(pinscher.Policy.load(settings.PINS))
        with session(context) as bank:
            bank.headers["Authorization"] = f"Bearer {settings.BANK_TOKEN}"
            try:
                reply = bank.get(f"{settings.BANK_URL}/accounts/{account}", timeout=5)
                reply.raise_for_status()
            except requests.RequestException as error:
                verdict = pinscher.verdict_of(error)
                reason = str(error) if verdict is None else f"{verdict.host}: {verdict.outcome.name}"
                raise CommandError(f"the bank was not asked: {reason}", returncode=1) from error
        self.stdout.write(f"{account} {reply.json()['balance']}")
