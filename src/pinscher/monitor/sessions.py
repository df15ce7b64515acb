"""
Who is logged in: a session is a row of the database, and its cookie is the only key to it.

Rules of this file:

1. A cookie holds 256 random bits and nothing else; only their SHA-256 is stored.
2. A session ends an hour after its last use, and twelve hours after its login at the latest. One of a later time than
   now is over too, for the clock was ahead.
3. Every login begins a session of its own, so that a cookie from before it is good for nothing.
4. A form is good for the session that it was made in: its token is derived from the cookie, which no other site and no
   script can read.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from pinscher.monitor.account_tables import accounts, sessions
from pinscher.monitor.accounts import Account, Standing, digest_of
from pinscher.monitor.clocks import is_believed
from pinscher.monitor.tables import millis

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from pinscher.monitor.database import Database

IDLE = timedelta(hours=1)
LONGEST = timedelta(hours=12)
_NOTED_EVERY = timedelta(minutes=1)
"""A use is written down no more often than this."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who is logged in, and the digest that their session is stored by."""

    account: Account
    digest: str


class Sessions:
    """The sessions of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, account: Account, *, at: datetime) -> str:
        """Begin a session and return what its cookie holds; sessions that are over are forgotten."""
        cookie = secrets.token_urlsafe(32)
        row = {"digest": digest_of(cookie), "account": account.id, "made": millis(at), "used": millis(at)}
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(~_is_good(at)))
            await connection.execute(insert(sessions).values(row))
        return cookie

    async def of(self, cookie: str, *, at: datetime, is_used: bool = True) -> Session | None:
        """Return the session of a cookie, or None where it is over (rule 2); a page that renews itself is no use."""
        if not cookie:
            return None
        asked = (
            select(sessions, accounts.c.name, accounts.c.role)
            .join_from(sessions, accounts, sessions.c.account == accounts.c.id)
            .where(sessions.c.digest == digest_of(cookie), _is_good(at))
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(asked)).first()
        if row is None:
            return None
        if is_used and row.used <= millis(at - _NOTED_EVERY):
            await self._note_use(row.digest, at)
        return Session(Account(row.account, row.name, Standing(row.role)), row.digest)

    async def _note_use(self, digest: str, at: datetime) -> None:
        async with self._database.writing() as connection:
            await connection.execute(update(sessions).where(sessions.c.digest == digest).values(used=millis(at)))

    async def end(self, cookie: str) -> None:
        """End the session of a cookie, if there is one."""
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.digest == digest_of(cookie)))


def _is_good(at: datetime) -> ColumnElement[bool]:
    """Return the condition that a session is not over (rule 2)."""
    is_of_now = is_believed(sessions.c.used, at) & is_believed(sessions.c.made, at)
    return is_of_now & (sessions.c.used > millis(at - IDLE)) & (sessions.c.made > millis(at - LONGEST))


def form_token(cookie: str) -> str:
    """Return the token of the forms that are shown to whoever has this cookie (rule 4)."""
    return hmac.new(cookie.encode(errors="surrogatepass"), b"pinscher form", hashlib.sha256).hexdigest()


def is_form_token(token: str, cookie: str) -> bool:
    """Tell whether a form was made for this cookie."""
    return bool(cookie) and hmac.compare_digest(token.encode(errors="surrogatepass"), form_token(cookie).encode())
