"""
Who may ask for what: an operator's token for the interface, and one token for each application that reports.

Rules of this file:

1. A token is 256 random bits; only its SHA-256 is stored, and it is shown once, when it is made.
2. The token of an application lies on every device that runs it, so it is no secret: it names who a report says it is
   from, and lets nobody read anything.
3. A token that another process made is known here when it is read anew, a moment later, and so is one that is gone.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from pinscher.entry import InvalidPolicyError, check_name
from pinscher.monitor.errors import MonitorError
from pinscher.monitor.tables import millis, tokens

if TYPE_CHECKING:
    from datetime import datetime

    from pinscher.monitor.database import Database


class Role(enum.Enum):
    """What a token lets its holder do."""

    OPERATOR = "operator"
    APPLICATION = "application"


class Tokens:
    """The tokens of a database, kept in memory by their digests."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._known: dict[str, tuple[Role, str]] = {}

    async def load(self) -> None:
        """Read the tokens that there are."""
        async with self._turn:
            async with self._database.reading() as connection:
                rows = (await connection.execute(select(tokens))).all()
            self._known = {row.digest: (Role(row.role), row.name) for row in rows}

    @property
    def has_operator(self) -> bool:
        """Whether somebody can log in; before the first start nobody can."""
        return any(role is Role.OPERATOR for role, _ in self._known.values())

    @property
    def applications(self) -> list[str]:
        """The names of the applications that may report."""
        return sorted({name for role, name in self._known.values() if role is Role.APPLICATION})

    async def make(self, role: Role, name: str, *, at: datetime) -> str:
        """Make a token and return it; the one that this name had is no longer good."""
        try:
            check_name(name, "an application")
        except InvalidPolicyError as error:
            raise MonitorError(error.reason) from None
        token = f"pinscher-{role.value}-{secrets.token_urlsafe(32)}"
        digest = _digest(token)
        values = {"digest": digest, "role": role.value, "name": name, "made": millis(at)}
        async with self._turn:
            async with self._database.writing() as connection:
                await connection.execute(delete(tokens).where(tokens.c.role == role.value, tokens.c.name == name))
                await connection.execute(insert(tokens).values(values))
            self._known = {key: value for key, value in self._known.items() if value != (role, name)}
            self._known[digest] = (role, name)
        return token

    def holder(self, token: str, role: Role) -> str | None:
        """Return whose token this is, or None if it is no token of that role."""
        # The look-up is by a digest, whose octets nobody can choose one by one: its time tells nothing.
        found = self._known.get(_digest(token))
        return found[1] if found is not None and found[0] is role else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
