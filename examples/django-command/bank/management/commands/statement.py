"""``manage.py statement ACCOUNT``: print an account's balance, asked of the pinned bank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

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
        """Print the balance; end with an error where there is none, or the pins refuse whoever answers."""
        context = pinscher.PinnedContext(pinscher.Policy.load(settings.PINS))
        with session(context) as bank:
            bank.headers["Authorization"] = f"Bearer {settings.BANK_TOKEN}"
            try:
                reply = bank.get(f"{settings.BANK_URL}/accounts/{quote(account, safe='')}", timeout=5)
            except requests.RequestException as error:
                verdict = pinscher.verdict_of(error)
                if verdict is None:
                    raise CommandError(f"the bank did not answer: {error}") from error
                raise CommandError(f"the bank was not asked: {verdict.host}: {verdict.outcome.name}") from error
        self.stdout.write(f"{account} {_balance(reply)}")


def _balance(reply: requests.Response) -> str:
    """Read the balance; end with an error where the bank tells none."""
    if not reply.ok:
        raise CommandError(f"the bank answered {reply.status_code}")
    try:
        return str(reply.json()["balance"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CommandError("the bank answered without a balance") from error
