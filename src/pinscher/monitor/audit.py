"""What people and their programs did: every login, every refusal of one, and every change, kept for a year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from pinscher.errors import escaped
from pinscher.monitor.account_tables import audit
from pinscher.monitor.tables import millis
from pinscher.monitor.views import time_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database

KEPT = timedelta(days=366)
"""How long an entry stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who did what, from which address, about what, and what they said to it."""

    who: str
    what: str
    address: str = ""
    about: str = ""
    said: str = ""


async def note(connection: AsyncConnection, deed: Deed, *, at: datetime) -> None:
    """Write a deed into the log, within the transaction of what was done."""
    await connection.execute(delete(audit).where(audit.c.at < millis(at - KEPT)))
    await connection.execute(
        insert(audit).values(
            at=millis(at),
            who=escaped(deed.who, limit=128),
            address=escaped(deed.address, limit=64),
            what=deed.what,
            about=escaped(deed.about, limit=320),
            said=escaped(deed.said, limit=500),
        )
    )


class Audit:
    """The log of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, deed: Deed, *, at: datetime) -> None:
        """Write a deed into the log, in a transaction of its own."""
        async with self._database.writing() as connection:
            await note(connection, deed, at=at)

    async def newest(self, *, before: int, most: int) -> list[dict[str, Any]]:
        """Return deeds, the newest first, from the one before *before* on."""
        asked = select(audit).where(audit.c.id < before).order_by(audit.c.id.desc()).limit(most)
        async with self._database.reading() as connection:
            rows = (await connection.execute(asked)).all()
        return [
            {
                "id": row.id,
                "at": time_of(row.at),
                "who": row.who,
                "address": row.address,
                "what": row.what,
                "about": row.about,
                "said": row.said,
            }
            for row in rows
        ]
