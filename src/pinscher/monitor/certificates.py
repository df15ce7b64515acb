"""
Certificates by the SHA-256 of their bytes, each stored once whoever showed it.

Rules of this file:

1. Reports, sightings and incidents name certificates by their digests, and whoever reads them takes for granted that
   each is there: what one of them names stays.
2. What nothing names is removed once it was not seen for long. Who stores a certificate again renews it first, so that
   one of the two comes first, and both are right; who recognises one, and does not store it again, does so for much
   less than the day that it stays longer than what names it.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from pinscher.monitor.database import insert_all
from pinscher.monitor.tables import certificates, incidents, millis, reports, sightings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pinscher.monitor.database import Database

MOST_FORGOTTEN = 50_000
"""Certificates that are looked at, to be removed or renewed, at once."""
_ASKED_AT_ONCE = 500
_STAYS_LONGER = timedelta(days=1)
# A report becomes part of an incident, and may then go itself: whoever asks in this order finds one of the two.
_NAMING = (reports.c.served, reports.c.validated, sightings.c.presented, sightings.c.validated, incidents.c.chain)


def digest_of(certificate_der: bytes) -> str:
    """Return the name that a certificate is stored by."""
    return hashlib.sha256(certificate_der).hexdigest()


async def remember(database: Database, connection: AsyncConnection, ders: Iterable[bytes], *, at: datetime) -> None:
    """Store the certificates that are not there yet, within a transaction."""
    rows = {digest_of(der): der for der in ders}
    fresh = [{"digest": digest, "der": der, "seen": millis(at)} for digest, der in sorted(rows.items())]
    await insert_all(connection, database.insert_new(certificates), fresh)


async def fetched(connection: AsyncConnection, digests: Iterable[str]) -> dict[str, bytes]:
    """Return certificates by their digests."""
    found: dict[str, bytes] = {}
    for wanted in _pieces(digests):
        asked = select(certificates.c.digest, certificates.c.der).where(certificates.c.digest.in_(wanted))
        found |= {row.digest: row.der for row in await connection.execute(asked)}
    return found


async def forget(database: Database, *, before: datetime, at: datetime) -> int:
    """Remove what was not seen since *before* and is named by nothing, renew the rest of it; return how much it was."""
    before -= _STAYS_LONGER
    async with database.reading() as connection:
        asked = select(certificates.c.digest).where(certificates.c.seen < millis(before)).limit(MOST_FORGOTTEN)
        stale = frozenset((await connection.execute(asked)).scalars())
        named = await _named(connection, stale) if stale else frozenset()
    for digests in _pieces(named):
        async with database.writing() as connection:
            ours = await _still_stale(connection, digests, before)
            await connection.execute(update(certificates).where(ours).values(seen=millis(at)))
    for digests in _pieces(stale - named):
        async with database.writing() as connection:
            ours = await _still_stale(connection, digests, before)
            await connection.execute(delete(certificates).where(ours))
    return len(stale)


async def _still_stale(connection: AsyncConnection, digests: Sequence[str], before: datetime) -> ColumnElement[bool]:
    """Return which of some certificates are still as old, and let nobody renew them until the transaction ends."""
    is_stale = certificates.c.digest.in_(digests) & (certificates.c.seen < millis(before))
    # Whoever renews one at the moment is not waited for, and it stays: two who wait could do so in a circle.
    asked = select(certificates.c.digest).where(is_stale).with_for_update(skip_locked=True)
    return certificates.c.digest.in_((await connection.execute(asked)).scalars().all())


async def _named(connection: AsyncConnection, digests: frozenset[str]) -> frozenset[str]:
    """Return those of some digests that anything names."""
    found: set[str] = set()
    for column in _NAMING:
        rows = await connection.stream_scalars(select(column).distinct().execution_options(yield_per=_ASKED_AT_ONCE))
        async for chain in rows:
            found |= digests.intersection(chain.split())
    return frozenset(found)


def _pieces(digests: Iterable[str]) -> Iterator[list[str]]:
    wanted = sorted(digests)
    return (wanted[start : start + _ASKED_AT_ONCE] for start in range(0, len(wanted), _ASKED_AT_ONCE))
